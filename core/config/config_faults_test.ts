import { expect } from "expect";
import { faultLines } from "../../tests/support/sample_configuration.ts";

const bad: readonly { name: string; text: string | Uint8Array; lines: readonly string[] }[] = [
  {
    name: "all faults at once, in the order of the file",
    text: `nod: {}
log: { level: inof, format: 3 }
http: { port: "80", hots: x }
projects:
  - slug: Demo!
    name: ""
    hub_url: ftp://x
    mesh_namespace: hub.other
    tags: [" "]
  - { slug: a, name: A, hub_url: "http://u:p@x", allow_fanout: ["a b"] }
  - { slug: a, name: A, hub_url: "http://x", extra: 1 }
  - { name: 7, mesh_namespace: hub.c }
  - { slug: b, name: 7, mesh_namespace: hub.c }
plugins:
  event-stor:
  event-store:
    retension: 7d
    batch_size: 1.5
    retention: 7 days
`,
    lines: [
      'projects.yaml:1:1 nod: unknown key; did you mean "node"?',
      'projects.yaml:2:15 log.level: expected one of debug, info, warn, error; did you mean "info"?',
      "projects.yaml:2:29 log.format: expected one of auto, json, pretty",
      "projects.yaml:3:15 http.port: expected a number, got text",
      'projects.yaml:3:21 http.hots: unknown key; did you mean "host"?',
      'projects.yaml:5:11 projects[0].slug: expected 1 to 50 of a-z, 0-9 and "-"',
      "projects.yaml:6:11 projects[0].name: must not be empty",
      'projects.yaml:7:14 projects[0].hub_url: expected "http://host" or "https://host", without user and password',
      'projects.yaml:8:21 projects[0].mesh_namespace: has to be "hub." and the slug',
      "projects.yaml:9:12 projects[0].tags[0]: must not be empty",
      'projects.yaml:10:34 projects[1].hub_url: expected "http://host" or "https://host", without user and password',
      'projects.yaml:10:65 projects[1].allow_fanout[0]: expected a name such as "audit.security"',
      "projects.yaml:11:13 projects[2].slug: another project has this slug",
      "projects.yaml:11:46 projects[2].extra: unknown key",
      "projects.yaml:12:5 projects[3].slug: missing",
      "projects.yaml:12:5 projects[3].hub_url: missing",
      "projects.yaml:12:13 projects[3].name: expected text, got a number: put it in quotes",
      "projects.yaml:13:5 projects[4].hub_url: missing",
      "projects.yaml:13:22 projects[4].name: expected text, got a number: put it in quotes",
      'projects.yaml:13:41 projects[4].mesh_namespace: has to be "hub." and the slug',
      'projects.yaml:15:3 plugins.event-stor: unknown plugin; did you mean "event-store"? (there are: event-store, metrics)',
      'projects.yaml:17:5 plugins.event-store.retension: unknown key; did you mean "retention"?',
      "projects.yaml:18:17 plugins.event-store.batch_size: expected a whole number, got a fraction",
      'projects.yaml:19:16 plugins.event-store.retention: expected something like 500ms, 15s, 5m, 2h or 7d, got "7 days"',
    ],
  },
  {
    name: "an empty file",
    text: "# nothing\n",
    lines: ['projects.yaml:1:1: the file is empty; it needs at least "plugins: { event-store: {} }"'],
  },
  { name: "a list", text: "- plugins\n", lines: ["projects.yaml:1:1: expected a mapping, got a list"] },
  { name: "text", text: "\n  plugins\n", lines: ["projects.yaml:2:3: expected a mapping, got text"] },
  { name: "plugins left out", text: "# x\nlog: {}\n", lines: ["projects.yaml:2:1 plugins: missing"] },
  {
    name: "plugins as a list",
    text: "plugins: [metrics]\n",
    lines: ["projects.yaml:1:10 plugins: expected a mapping, got a list"],
  },
  {
    name: "a plugin switched on with a word",
    text: "plugins: { metrics: true, toString: }\n",
    lines: [
      "projects.yaml:1:21 plugins.metrics: expected a mapping, got true or false",
      "projects.yaml:1:27 plugins.toString: unknown plugin (there are: event-store, metrics)",
    ],
  },
  {
    name: "nested: lists, unions, records, the parent's place for what is missing",
    text: `plugins:
  event-store:
    feeds:
      - url: x
      - { url: "", every: days }
    target: { hots: x }
    labels: { B: x }
`,
    lines: [
      "projects.yaml:4:9 plugins.event-store.feeds[0].every: missing",
      "projects.yaml:5:16 plugins.event-store.feeds[1].url: must not be empty",
      'projects.yaml:5:27 plugins.event-store.feeds[1].every: expected one of hour, day; did you mean "day"?',
      "projects.yaml:6:5 plugins.event-store.target.host: missing",
      'projects.yaml:6:15 plugins.event-store.target.hots: unknown key; did you mean "host"?',
      "projects.yaml:7:15 plugins.event-store.labels.B: this key is not accepted: has to match /^[a-z]+$/",
    ],
  },
  {
    name: "duplicate keys, together with the other faults",
    text: "plugins: {}\nlog:\n  level: info\n  level: warn\nplugins: {}\nbuss:\n",
    lines: [
      "projects.yaml:4:3 log.level: duplicate key",
      "projects.yaml:5:1 plugins: duplicate key",
      'projects.yaml:6:1 buss: unknown key; did you mean "bus"?',
    ],
  },
  {
    name: "reserved and malformed identities",
    text: "node: { id: global }\nprojects: [{ slug: presence, name: P, hub_url: 'https://p' }]\nplugins:\n",
    lines: [
      "projects.yaml:1:13 node.id: this name is reserved",
      "projects.yaml:2:20 projects[0].slug: this name is reserved",
    ],
  },
  {
    name: "bad addresses of bus and storage",
    text: "bus: { url: 'amqp://x' }\nstorage: { url: 'mysql://x' }\nplugins:\n",
    lines: [
      'projects.yaml:1:13 bus.url: expected "memory:" or "nats://host:4222" (tls://, several with commas; no user or password in it)',
      'projects.yaml:2:17 storage.url: expected "sqlite:", "sqlite:PATH" or "postgres://host/database"',
    ],
  },
  {
    name: "a duration without its unit",
    text: "plugins: { event-store: { retention: 30 } }\n",
    lines: [
      "projects.yaml:1:38 plugins.event-store.retention: expected something like 500ms, 15s, 5m, 2h or 7d",
    ],
  },
  {
    name: "a size without its unit, and none at all",
    text: "http: { max_body: 1048576, request_timeout: }\nplugins:\n",
    lines: [
      "projects.yaml:1:19 http.max_body: expected something like 512kb, 8mb or 1gb",
      "projects.yaml:1:45 http.request_timeout: expected something like 500ms, 15s, 5m, 2h or 7d",
    ],
  },
  {
    name: "placeholders that cannot be filled, each fault once",
    text: `node: { id: "\${env:NONE}", name: "\${HOME}", data_dir: "\${file:gone.txt}" }
http: { port: "\${env:NONE}" }
projects:
  - { slug: "\${env:NONE}", name: "\${file:}", hub_url: "\${env:no name}", mesh_namespace: hub.x }
plugins: { event-store: "\${env:NONE}", metrics: "\${env:X" }
`,
    lines: [
      "projects.yaml:1:13 node.id: the environment variable NONE is not set",
      'projects.yaml:1:34 node.name: expected ${env:NAME} or ${file:PATH}; write "$${" for a plain "${"',
      'projects.yaml:1:55 node.data_dir: cannot read the file "gone.txt": no such file',
      "projects.yaml:2:15 http.port: the environment variable NONE is not set",
      "projects.yaml:4:13 projects[0].slug: the environment variable NONE is not set",
      "projects.yaml:4:34 projects[0].name: ${file:…} needs a path",
      "projects.yaml:4:55 projects[0].hub_url: ${env:…} needs the name of a variable",
      "projects.yaml:5:25 plugins.event-store: the environment variable NONE is not set",
      'projects.yaml:5:49 plugins.metrics: expected ${env:NAME} or ${file:PATH}; write "$${" for a plain "${"',
    ],
  },
  {
    name: "what was filled in is never shown",
    text: `http: { port: "\${env:WORD}" }
log: { level: "\${env:WORD}" }
projects:
  - { slug: "\${env:WORD}", name: "\${env:EMPTY}", hub_url: "\${env:WORD}", mesh_namespace: "\${env:WORD}" }
plugins: { event-store: { retention: "\${env:WORD}", batch_size: "\${env:FLAG}", token: "\${env:EMPTY}" } }
`,
    lines: [
      "projects.yaml:1:15 http.port: expected a number, got text (it comes from ${env:WORD})",
      "projects.yaml:2:15 log.level: expected one of debug, info, warn, error (it comes from ${env:WORD})",
      "projects.yaml:4:34 projects[0].name: must not be empty (it comes from ${env:EMPTY})",
      'projects.yaml:4:59 projects[0].hub_url: expected "http://host" or "https://host", without user and password (it comes from ${env:WORD})',
      'projects.yaml:4:90 projects[0].mesh_namespace: has to be "hub." and the slug (it comes from ${env:WORD})',
      "projects.yaml:5:38 plugins.event-store.retention: the value is not accepted (it comes from ${env:WORD})",
      "projects.yaml:5:65 plugins.event-store.batch_size: expected a number, got text (it comes from ${env:FLAG})",
      "projects.yaml:5:87 plugins.event-store.token: must not be empty (it comes from ${env:EMPTY})",
    ],
  },
  {
    name: "what was filled in is not shown by the fault of another value either",
    text: 'plugins: { event-store: { target: "${env:WORD}", mirror: x } }\n',
    lines: ["projects.yaml:1:58 plugins.event-store.mirror: the value is not accepted"],
  },
  {
    name: "bad YAML, without a word of its content",
    text: 'plugins:\n  event-store:\n    token: "hunter2" "hunter3"\n  }\n',
    lines: [
      "projects.yaml:3:22: bad YAML: Unexpected double-quoted-scalar at node end",
      "projects.yaml:4:3: bad YAML: Unexpected flow-map-end token in YAML stream",
    ],
  },
  {
    name: "bad YAML in one line, without a word of its content",
    text: 'plugins:\n  event-store: { token: "hunter2" "hunter3" }\n',
    lines: ["projects.yaml:2:35: bad YAML: Unexpected double-quoted-scalar at node end"],
  },
  {
    name: "a text that never ends",
    text: 'plugins: "x\n',
    lines: ['projects.yaml:2:1: bad YAML: Missing closing "quote'],
  },
  {
    name: "tabs as indentation",
    text: "plugins:\n\tmetrics:\n",
    lines: ["projects.yaml:2:1: bad YAML: Tabs are not allowed as indentation"],
  },
  {
    name: "two documents",
    text: "plugins:\n---\nplugins:\n",
    lines: ['projects.yaml:2:1: bad YAML: only one document is allowed; remove the "---"'],
  },
  {
    name: "unknown tags",
    text: "plugins: !secret x\n",
    lines: ["projects.yaml:1:10: bad YAML: Unresolved tag: !secret"],
  },
  {
    name: "an alias of nothing",
    text: "plugins: *x\n",
    lines: ["projects.yaml:1:10 plugins: this alias has no anchor before it"],
  },
  {
    name: "an alias that holds itself",
    text: "plugins: &x { event-store: *x }\n",
    lines: [
      "projects.yaml:1:15 plugins.event-store.event-store: unknown key",
      "projects.yaml:1:28: nested more than 32 levels deep",
    ],
  },
  {
    name: "keys that are no text",
    text: "? [a]\n: 1\nplugins: { ? : 1, __proto__: {} }\n",
    lines: [
      "projects.yaml:1:3: a key has to be plain text",
      "projects.yaml:3:14 plugins: a key has to be plain text",
      "projects.yaml:3:19 plugins.__proto__: unknown plugin (there are: event-store, metrics)",
    ],
  },
  {
    name: "not UTF-8",
    text: Uint8Array.of(0x70, 0xff, 0xfe),
    lines: ['Cannot read "projects.yaml": it is not UTF-8 text'],
  },
];

for (const { name, text, lines } of bad) {
  Deno.test(`refused: ${name}`, async () => {
    expect(await faultLines(text)).toEqual(lines);
  });
}
