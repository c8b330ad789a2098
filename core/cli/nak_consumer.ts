import { answerDeliveries } from "./answer_deliveries.ts";
import type { Invocation } from "./invocation.ts";

export interface NakConsumerOptions {
  readonly delay?: string;
  readonly error?: string;
}

/** `consumers nak NAME TOKEN…`: these events failed and are to be delivered again. */
export function nakConsumer(invocation: Invocation<NakConsumerOptions>): Promise<number> {
  const { delay, error } = invocation.options;
  return answerDeliveries(invocation, {
    route: "nak",
    body: { delay, error },
    counter: "returned",
    verb: "Gave back",
  });
}
