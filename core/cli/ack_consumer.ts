import { answerDeliveries } from "./answer_deliveries.ts";
import type { Invocation } from "./invocation.ts";

/** `consumers ack NAME TOKEN…`: these events are done with. */
export function ackConsumer(invocation: Invocation): Promise<number> {
  return answerDeliveries(invocation, { route: "ack", counter: "acknowledged", verb: "Acknowledged" });
}
