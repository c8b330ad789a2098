import type { Delivered } from "./delivery_store.ts";

/** `<sequence>.<token of the fetch>`, as workers hand it back; the sequence is one that a number holds exactly. */
export const deliveryToken = /^[1-9]\d{0,14}\.[0-9a-f-]{36}$/;

/** The token of one delivery. */
export function tokenOf(seq: number, fetchToken: string): string {
  return `${seq}.${fetchToken}`;
}

/** Deliveries by the fetch that handed them out; each has to look like a token. */
export function groupTokens(consumer: string, tokens: readonly string[]): Delivered[] {
  const groups = new Map<string, number[]>();
  for (const text of tokens) {
    const dot = text.indexOf(".");
    const token = text.slice(dot + 1);
    const seqs = groups.get(token);
    if (seqs) seqs.push(Number(text.slice(0, dot)));
    else groups.set(token, [Number(text.slice(0, dot))]);
  }
  return [...groups].map(([token, seqs]) => ({ consumer, token, seqs }));
}
