import { type Bus, BusError, type BusErrorCode, type BusMessage } from "../../core/bus/bus.ts";

/** An opened bus that a test owns, with the handler errors it was told of. */
export interface OpenedBus extends AsyncDisposable {
  readonly bus: Bus;
  readonly handlerErrors: { readonly error: unknown; readonly subject: string }[];
}

/** What a bus has to do, by name; each case gets a bus of its own. */
export type BusCases = Readonly<Record<string, (opened: OpenedBus) => Promise<void>>>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const event = (type: string): string => `hub.hub-1.${type}`;
export const bytes = (text: string): Uint8Array => encoder.encode(text);
export const text = (message: BusMessage): string => decoder.decode(message.data);

/** Resolves when the bus has taken what was sent and subscribed before: the round trip orders it. */
export const settled = (bus: Bus): Promise<number> => bus.probe(5000);

/** The code of the BusError that `work` ends in. */
export async function codeOf(work: () => unknown): Promise<BusErrorCode | undefined> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BusError) return error.code;
    throw error;
  }
  return undefined;
}
