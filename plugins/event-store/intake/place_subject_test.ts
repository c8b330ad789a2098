import { expect } from "expect";
import { placeSubject } from "./place_subject.ts";

const node = "hub-1a2b3c4d5e6f";

Deno.test("subjects are placed under this node, or taken as they are where they name it", () => {
  const table: [string, string, string][] = [
    ["demo.created", `hub.${node}.demo.created`, "demo.created"],
    ["demo.part.created", `hub.${node}.demo.part.created`, "demo.part.created"],
    [`hub.${node}.demo.created`, `hub.${node}.demo.created`, "demo.created"],
    ["hub.global.demo.created", "hub.global.demo.created", "demo.created"],
    ["hubble.created", `hub.${node}.hubble.created`, "hubble.created"],
  ];
  for (const [given, subject, type] of table) expect(placeSubject(given, node)).toEqual({ subject, type });
});

Deno.test("what is no subject, too short, or somebody else's is refused with the reason", () => {
  const table: [string, string][] = [
    ["demo", "invalid_subject"],
    ["hub.global.demo", "invalid_subject"],
    [`hub.${node}`, "invalid_subject"],
    ["demo..created", "invalid_subject"],
    ["demo.*", "invalid_subject"],
    ["demo.>", "invalid_subject"],
    ["demo.créé", "invalid_subject"],
    ["demo.created ", "invalid_subject"],
    ["demo.created\n", "invalid_subject"],
    [`demo.${"x".repeat(255)}`, "invalid_subject"],
    ["hub.other.demo.created", "foreign_subject"],
    ["hub.presence.demo", "foreign_subject"],
    ["hub.presence.demo.created", "foreign_subject"],
  ];
  for (const [given, code] of table) {
    let thrown: unknown;
    try {
      placeSubject(given, node);
    } catch (error) {
      thrown = error;
    }
    expect({ given, thrown }).toMatchObject({ given, thrown: { status: 422, code } });
  }
});
