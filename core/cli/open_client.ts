import { Client } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { type LocalSettings, readLocalKey, readLocalSettings } from "./local_settings.ts";

/**
 * A client for the agent that `--url`, COMMANDCENTER_URL or the local configuration names. Without `--key` and
 * COMMANDCENTER_KEY it holds the local admin key, but only for an agent on this host. Throws CliError.
 */
export async function openClient(
  { options, terminal }: Invocation,
  need: { key: boolean } = { key: true },
): Promise<Client> {
  const { env } = terminal;
  const address = options.url ?? (env.COMMANDCENTER_URL || undefined);
  const givenKey = options.key ?? (env.COMMANDCENTER_KEY || undefined);
  let settings: LocalSettings | undefined;
  const localSettings = async () => settings ??= await readLocalSettings(options.config, env);
  const url = address === undefined ? localUrl(await localSettings()) : parseAddress(address);
  const loopback = isLoopback(url);

  if (givenKey !== undefined || !need.key) {
    const key = givenKey === undefined ? undefined : checkedKey(givenKey);
    const keyHint = key === undefined
      ? giveKey
      : "Is the key right, not expired, and does its scope allow this?";
    return new Client({ url, key, loopback, keyHint }, terminal.interrupted);
  }
  const local = await localSettings();
  if (!loopback && url.host !== localUrl(local).host) {
    throw new CliError(`Cannot send the local admin key to ${url.origin}: that is not this host`, {
      exitCode: exitCode.forbidden,
      hint: "Give a key of that agent with --key or COMMANDCENTER_KEY.",
    });
  }
  const found = await readLocalKey(local.keyFile);
  const target = { url, key: found.key && checkedKey(found.key), loopback, keyHint: found.hint };
  return new Client(target, terminal.interrupted);
}

const giveKey = "Give a key with --key or COMMANDCENTER_KEY.";

function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const plain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search &&
    !url.hash;
  if (plain) return url;
  const shown = address.replace(/\/\/.*@/, "//[redacted]@");
  throw new CliError(`Cannot use "${shown}" as the address of an agent: it is no plain http or https URL`, {
    exitCode: exitCode.usage,
    hint: "Write it like http://127.0.0.1:9000, without user, password or parameters.",
  });
}

// An agent that listens on every address is asked over the loopback one.
function localUrl({ host, port }: LocalSettings): URL {
  const wildcard: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const address = wildcard[host] ?? host;
  return new URL(`http://${/^[^[]*:/.test(address) ? `[${address}]` : address}:${port}`);
}

function isLoopback(url: URL): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
}

function checkedKey(key: string): string {
  if (/^[\x21-\x7e]{1,512}$/.test(key)) return key;
  throw new CliError("Cannot use the key: it has to be one word of plain letters, digits and signs", {
    exitCode: exitCode.usage,
    hint: "Copy it again, without spaces and line breaks.",
  });
}
