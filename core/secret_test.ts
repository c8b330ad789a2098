import { expect } from "expect";
import fc from "fast-check";
import { format, inspect } from "node:util";
import { deserialize, serialize } from "node:v8";
import { z } from "zod";
import { testOnEveryStorage } from "../tests/support/every_storage.ts";
import { Problem } from "./errors.ts";
import { Secret, secretText } from "./secret.ts";

const hidden = "hunter2-\u00e4-verbatim";
const secret = new Secret(hidden);
const holder = { name: "x", nested: { list: [secret] } };

/** Every way by which text gets out of a value, as far as we could think of them. */
const ways: Readonly<Record<string, () => unknown>> = {
  "String()": () => String(secret),
  "a template": () => `${secret}`,
  "concatenation": () => "" + (secret as unknown as string),
  "a number": () => Number(secret),
  "valueOf": () => inspect(secret.valueOf()),
  "toLocaleString": () => (secret as object).toLocaleString(),
  "join of a list": () => [secret, secret].join(),
  "JSON.stringify": () => JSON.stringify(holder, null, 2),
  "JSON.stringify as a key": () => JSON.stringify({ [String(secret)]: 1 }),
  "inspect": () => inspect(holder, { depth: null, showHidden: true, getters: true }),
  "inspect without its hooks": () => inspect(holder, { depth: null, showHidden: true, customInspect: false }),
  "format": () => format("%s %o %O %j %d", secret, secret, secret, secret, secret),
  "Deno.inspect": () => Deno.inspect(holder, { depth: 10, getters: true }),
  "keys": () => Object.keys(secret).concat(Object.getOwnPropertyNames(secret)).join(),
  "symbols": () => Object.getOwnPropertySymbols(secret).map(String).join(),
  "entries": () => inspect(Object.entries(secret)),
  "descriptors": () => inspect(Object.getOwnPropertyDescriptors(secret)),
  "for … in": () => {
    const found: string[] = [];
    for (const key in secret) found.push(key, String((secret as unknown as Record<string, unknown>)[key]));
    return found.join();
  },
  "spread": () => inspect({ ...secret }),
  "Object.assign": () => inspect(Object.assign({}, secret)),
  "structuredClone": () => inspect(structuredClone(secret), { showHidden: true }),
  "structuredClone of its holder": () => inspect(structuredClone({ ...holder, nested: { list: [secret] } })),
  "v8.serialize": () => serialize(holder).toString("latin1") + inspect(deserialize(serialize(holder))),
  "the message of an error": () => inspect(new Error(secret as unknown as string)),
  "the cause of an error": () => inspect(new Error("x", { cause: secret })),
  "the extras of a problem": () => JSON.stringify(new Problem(400, "x", { detail: "y", extras: { secret } })),
  "a header": () =>
    inspect(new Headers({ authorization: `Bearer ${secret}` })) +
    new Headers({ authorization: secret as unknown as string }).get("authorization"),
  "a URL": () => new URL(`http://user:${secret}@host/?a=${secret}`).href,
  "a search parameter": () => new URLSearchParams({ a: secret as unknown as string }).toString(),
  "a form": () => {
    const form = new FormData();
    form.append("a", secret as unknown as string);
    return form.get("a");
  },
  "a body": () => new Response(secret as unknown as string).text(),
  "a blob": () => new Blob([secret as unknown as string]).text(),
  "TextEncoder": () => new TextDecoder().decode(new TextEncoder().encode(secret as unknown as string)),
  "base64": () => atob(btoa(secret as unknown as string)),
  "a regular expression": () => /.*/.exec(secret as unknown as string)?.[0],
  "a comparison": () => [secret as unknown as string, "a"].toSorted().join(),
  "the faults of a schema": () => {
    const schema = z.strictObject({ token: z.string(), list: z.array(z.number()), a: z.enum(["b"]) });
    const { error } = schema.safeParse({ token: secret, list: secret, a: secret, [String(secret)]: 1 });
    return inspect(error, { depth: 10 }) + error!.message + JSON.stringify(error!.issues);
  },
  "the faults of its own schema": () => {
    const shape = z.strictObject({ token: secretText().refine(() => false), other: secretText() });
    const { error } = shape.safeParse({ token: hidden, other: { hidden } });
    return inspect(error, { depth: 10 }) + error!.message +
      JSON.stringify([error!.issues, z.treeifyError(error!)]);
  },
  "postMessage": async () => {
    const { port1, port2 } = new MessageChannel();
    const received = new Promise((resolve) => port2.onmessage = (event) => resolve(event.data));
    port1.postMessage(holder);
    const text = inspect(await received, { depth: 10, showHidden: true });
    port1.close();
    port2.close();
    return text;
  },
  "what it throws": () => {
    try {
      return secret.toPostgres();
    } catch (error) {
      return inspect(error);
    }
  },
};

for (const [name, way] of Object.entries(ways)) {
  Deno.test(`a secret does not get out by ${name}`, async () => {
    let text: string;
    try {
      text = String(await way());
    } catch (error) {
      text = inspect(error); // to refuse is as good
    }
    for (const piece of [hidden, "hunter2", btoa("hunter2"), encodeURIComponent(hidden)]) {
      expect(text).not.toContain(piece);
    }
  });
}

Deno.test("whatever text it holds, it shows the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const one = new Secret(text);
      expect([`${one}`, JSON.stringify(one), inspect(one)]).toEqual([
        "[redacted]",
        '"[redacted]"',
        "[redacted]",
      ]);
      expect(one.reveal()).toBe(text);
    }),
  );
});

Deno.test("a secret tells whether it is some text, and nothing can be hung on it", () => {
  expect(secret.matches(hidden)).toBe(true);
  for (const other of ["", "hunter2", `${hidden} `, "[redacted]"]) expect(secret.matches(other)).toBe(false);
  expect(() => Object.assign(secret, { toJSON: () => "x" })).toThrow(TypeError);
});

testOnEveryStorage("a secret cannot be put into a database", async (storage) => {
  const db = storage.tables<{ secret_test: { text: string } }>();
  await db.schema.createTable("secret_test").addColumn("text", "text").execute();
  await expect(db.insertInto("secret_test").values({ text: secret as unknown as string }).execute()).rejects
    .toThrow();
  expect(await db.selectFrom("secret_test").selectAll().execute()).toEqual([]);
});

Deno.test("a configured secret has to be there", () => {
  expect(secretText().parse("x").reveal()).toBe("x");
  expect(secretText().safeParse("").success).toBe(false);
});
