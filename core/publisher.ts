import type { Bus } from "./bus/bus.ts";
import { messageIdOf, toMessage } from "./cloudevents.ts";
import { type Clock, newId, timestamp } from "./clock.ts";
import { currentContext } from "./context.ts";
import { Problem } from "./errors.ts";
import type { Envelope, Event, Published } from "./events.ts";
import type { JournalSlot } from "./journal_slot.ts";
import type { PublishOptions } from "./plugin.ts";
import { refuseSecrets } from "./refuse_secrets.ts";
import { inSpan, isCollectingSpans } from "./trace.ts";

interface PublisherOptions {
  readonly nodeId: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly journal: JournalSlot;
}

/** The one path by which events leave a plugin: into the journal where there is one, else straight to the bus. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Rejects with Problem 422 on data that does not fit, 503 while the journal or, without one, the bus is away. */
  async publish<Data>(
    event: Event<Data>,
    data: Data,
    options: PublishOptions & { service: string },
  ): Promise<Published> {
    if (!isCollectingSpans()) return await this.#publish(event, data, options);
    const call = currentContext() ?? { correlationId: options.correlationId ?? newId() };
    return await inSpan(
      `publish ${event.type}`,
      { call, kind: "producer" },
      () => this.#publish(event, data, options),
    );
  }

  #publish<Data>(
    event: Event<Data>,
    data: Data,
    options: PublishOptions & { service: string },
  ): Promise<Published> {
    const envelope = this.#envelope(event, checked(event, data), options);
    const { journal } = this.#options;
    if (journal.current) return journal.current.append(envelope, { trx: options.trx });
    if (!journal.isExpected) return this.#append(envelope);
    throw new Problem(503, "journal_stopped", {
      detail: "Cannot publish: the plugin that stores events is stopped; try again when it runs",
    });
  }

  async #append(envelope: Envelope): Promise<Published> {
    const { headers, data } = toMessage(envelope);
    const { duplicate } = await this.#options.bus.append(envelope.subject, data, {
      id: messageIdOf(envelope.origin.nodeId, envelope.id),
      headers,
    });
    return { id: envelope.id, correlationId: envelope.correlationId, time: envelope.time, duplicate };
  }

  #envelope<Data>(
    event: Event<Data>,
    data: Data,
    options: PublishOptions & { service: string },
  ): Envelope<Data> {
    const context = currentContext();
    const { nodeId, clock } = this.#options;
    return {
      id: newId(),
      subject: `hub.${options.global ? "global" : nodeId}.${event.type}`,
      type: event.type,
      origin: { nodeId, service: options.service, user: context?.principal?.name ?? null },
      project: options.project ?? null,
      correlationId: options.correlationId ?? context?.correlationId ?? newId(),
      causationId: context?.causationId ?? null,
      traceparent: context?.traceparent ?? null,
      time: timestamp(clock),
      data,
    };
  }
}

function checked<Data>(event: Event<Data>, data: Data): Data {
  const result = event.schema.safeParse(data);
  if (result.success) {
    refuseSecrets(result.data, `Cannot publish "${event.type}"`);
    return result.data;
  }
  throw new Problem(422, "invalid_event", {
    detail: `Cannot publish "${event.type}": ${result.error.issues.map(describeIssue).join("; ")}`,
    cause: result.error,
  });
}

function describeIssue(issue: { path: PropertyKey[]; message: string }): string {
  return issue.path.length ? `${issue.path.map(String).join(".")}: ${issue.message}` : issue.message;
}
