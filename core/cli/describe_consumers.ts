import type { CommandParts, Parser } from "./program.ts";

/** `consumers`: events for workers. */
export function describeConsumers(consumers: Parser, { run, count }: CommandParts): void {
  const one = (name: string, description: string) =>
    consumers.command(name).description(description).argument("<name>", "name of the consumer");
  consumers.command("list").description("list the consumers and how far each came")
    .action(run(async () => (await import("./list_consumers.ts")).listConsumers));
  one("show", "show a consumer and how it stands")
    .action(run(async () => (await import("./show_consumer.ts")).showConsumer));
  one("create", "make a consumer, or change the one there is; what is left out gets its default")
    .argument("<subject>", "subject; * stands for one token, > for the rest")
    .option("--start <PLACE>", "first, new, seq:42 or time:2h (default: new); cannot be changed later")
    .option("--type <TYPE>", "only events of this type or pattern")
    .option("--project <SLUG>", "only events about this project")
    .option("--origin <NODE>", "only what that node published")
    .option("--ack-wait <TIME>", "how long a worker has an event to itself (default: 30s)")
    .option(
      "--max-deliveries <COUNT>",
      "deliveries before it becomes a dead letter (default: 10)",
      count,
    )
    .option("--max-in-flight <COUNT>", "events that are out or come again (default: 1000)", count)
    .option("--description <TEXT>", "what it is for")
    .action(run(async () => (await import("./create_consumer.ts")).createConsumer));
  one("delete", "delete a consumer; the events stay in the log")
    .option("--abandoned", "also one of a plugin, which is gone for good")
    .action(run(async () => (await import("./delete_consumer.ts")).deleteConsumer));
  one("pause", "hand out nothing until it is resumed")
    .action(run(async () => (await import("./pause_consumer.ts")).pauseConsumer));
  one("resume", "hand out events again")
    .action(run(async () => (await import("./resume_consumer.ts")).resumeConsumer));
  one("fetch", "print the next events as lines of JSON, each with the token for its answer")
    .option("--limit <COUNT>", "events at the most, 1000 or less", count, 100)
    .option("--wait <TIME>", "how long to wait for the first one, 30s or less (default: 0s)")
    .option("--ack", "acknowledge what was printed")
    .option("--follow", "go on until Ctrl-C")
    .action(run(async () => (await import("./fetch_consumer.ts")).fetchConsumer));
  one("ack", "acknowledge events").argument("<token...>", "as fetch has printed it")
    .action(run(async () => (await import("./ack_consumer.ts")).ackConsumer));
  one("nak", "give events back, to be delivered again").argument("<token...>", "as fetch has printed it")
    .option("--delay <TIME>", "until the next delivery at the soonest (default: 0s)")
    .option("--error <TEXT>", "why; kept with the event")
    .action(run(async () => (await import("./nak_consumer.ts")).nakConsumer));
  one("dead-letters", "list what was given up, and why")
    .action(run(async () => (await import("./list_consumer_dead_letters.ts")).listConsumerDeadLetters));
  one("replay", "deliver dead letters anew").argument("[seq...]", "these only (default: all)")
    .action(run(async () => (await import("./replay_consumer.ts")).replayConsumer));
}
