const apiKey = /\bcc_([A-Za-z0-9]+)_[A-Za-z0-9_-]{20,}/g;
/** The password of a URL; a second @ belongs to it. */
const urlPassword = /(\b[a-z][a-z0-9+.-]{1,30}:\/\/[^\s:@/"'<>]*):[^\s/"'<>]*@/gi;
const urlSecret =
  /([?&](?:password|passwd|pwd|token|access_token|refresh_token|api_?key|client_secret|secret|ticket|signature|sig)=)[^&\s"'<>#\\]+/gi;

/**
 * Text with API keys of the agent, passwords in URLs and secrets in query strings taken out: the last line of defence for
 * what goes to a log or a terminal, whoever wrote it.
 */
export function redactText(text: string): string {
  let result = text;
  if (result.includes("cc_")) result = result.replaceAll(apiKey, "cc_$1_[redacted]");
  if (result.includes("://") && result.includes("@")) {
    result = result.replaceAll(urlPassword, "$1:[redacted]@");
  }
  return result.includes("=") ? result.replaceAll(urlSecret, "$1[redacted]") : result;
}
