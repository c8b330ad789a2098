import { BusError } from "./bus.ts";

const decoder = new TextDecoder();
/** JetStream's error code for a message beyond the stream's own limit. */
const messageTooLarge = 10054;

interface Acknowledgement {
  readonly stream?: string;
  readonly duplicate?: boolean;
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/** Reads what JetStream answered to a published event. Throws BusError where it did not store it. */
export function readAcknowledgement(
  subject: string,
  { answer, stream }: { answer: Uint8Array; stream: string },
): { duplicate: boolean } {
  const { error, stream: storedIn, duplicate = false } = parse(answer);
  if (error?.err_code === messageTooLarge) {
    throw new BusError("too_large", `Cannot append "${subject}": larger than the stream "${stream}" takes`);
  }
  const fault = error
    ? `the server did not store it (${error.description ?? "no reason given"})`
    : storedIn !== stream
    ? `it went into ${
      storedIn === undefined ? "no stream" : `the stream "${storedIn}"`
    } instead of "${stream}"`
    : undefined;
  if (fault !== undefined) throw new BusError("unavailable", `Cannot append "${subject}": ${fault}`);
  return { duplicate };
}

function parse(answer: Uint8Array): Acknowledgement {
  try {
    return JSON.parse(decoder.decode(answer)) ?? {};
  } catch {
    return {}; // answered by somebody who is no stream
  }
}
