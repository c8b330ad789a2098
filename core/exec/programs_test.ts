import { expect } from "expect";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { failure, programBench, script } from "../../tests/support/program_bench.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { openRoot } from "../files/path_root.ts";
import { Secret } from "../secret.ts";

Deno.test("a program gets its arguments as they are, and nothing of them is a command", async () => {
  await using here = programBench();
  const argv = ["$(id)", "`id`", "; id", "a b", "*", "", "'\"", "\n", "ü", "--", "&& id", "${HOME}"];
  const { stdout, exitCode } = await here.exec("printf", ["%s|", ...argv]);
  expect(stdout).toBe(argv.map((one) => `${one}|`).join(""));
  expect(exitCode).toBe(0);
});

Deno.test("the environment is PATH, LANG, HOME, TZ and what the caller names, and nothing of the agent's", async () => {
  process.env.COMMANDCENTER_TEST_LEAK = "hunter2";
  await using here = programBench({}, { TZ: "Europe/Berlin", AWS_SECRET_ACCESS_KEY: "hunter2" });
  const { stdout } = await here.exec("env", [], { env: { NAME: "ä $x\n1", TOKEN: new Secret("revealed") } });
  delete process.env.COMMANDCENTER_TEST_LEAK;
  expect(stdout.trimEnd().split("\n").toSorted()).toEqual([
    "1",
    "HOME=/root",
    "LANG=C.UTF-8",
    "NAME=ä $x",
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "TOKEN=revealed",
    "TZ=Europe/Berlin",
  ]);
});

for (
  const name of [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "PATH",
    "BASH_ENV",
    "BASH_FUNC_x",
    "ENV",
    "IFS",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "PERL5LIB",
    "A=B",
    "",
    "A B",
    "1A",
    "A\0",
    "é",
    "A\n",
  ]
) {
  Deno.test(`the variable ${JSON.stringify(name)} cannot be set`, async () => {
    await using here = programBench();
    expect((await failure(here.exec("env", [], { env: { [name]: "x" } }))).code).toBe("invalid_argument");
  });
}

const impossible: Readonly<Record<string, readonly [program: string, argv: unknown, code: string]>> = {
  "a program that the plugin does not name": ["id", [], "not_allowed"],
  "a path": ["/bin/sh", [], "not_allowed"],
  "a path that leads to a named one": ["../bin/sh", [], "not_allowed"],
  "a name of Object": ["constructor", [], "not_allowed"],
  "a program that is not installed": ["nothing-like-it", [], "not_found"],
  "NUL in an argument": ["printf", ["a\0b"], "invalid_argument"],
  "half a surrogate pair": ["printf", ["\ud800"], "invalid_argument"],
  "an argument that is no text": ["printf", [1], "invalid_argument"],
  "arguments that are no list": ["printf", "-rf /", "invalid_argument"],
  "a huge argument": ["printf", ["x".repeat(200_000)], "invalid_argument"],
  "huge arguments": ["printf", Array(20).fill("x".repeat(100_000)), "invalid_argument"],
  "many arguments": ["printf", Array(20_000).fill("x"), "invalid_argument"],
};

for (const [name, [program, argv, code]] of Object.entries(impossible)) {
  Deno.test(`nothing is started: ${name}`, async () => {
    await using here = programBench();
    expect((await failure(here.exec(program, argv as string[]))).code).toBe(code);
  });
}

const unrunnable: Readonly<Record<string, string | Uint8Array>> = {
  "a script whose interpreter is not there": "#!/no/such/interpreter\n",
  "a program for another machine": new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 9, 9, 9, 9]),
};

for (const [name, content] of Object.entries(unrunnable)) {
  Deno.test(`a file that the system does not run: ${name}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "commandcenter-exec-"));
    const file = join(folder, "true");
    await writeFile(file, content, { mode: 0o755 });
    await using here = programBench({ programs: { true: file } });
    expect((await failure(here.exec("true", [], { stdin: "x" }))).code).toMatch(/^(not_executable|failed)$/);
    await rm(folder, { recursive: true });
  });
}

Deno.test("a status other than those expected is a failure with the last words of standard error", async () => {
  await using here = programBench();
  const error = await failure(here.exec("sh", script("echo one >&2; echo two >&2; exit 3")));
  expect(error).toMatchObject({ code: "failed", exitCode: 3, signal: undefined, stderrTail: "one\ntwo" });
  expect(error.message).toBe('Cannot run "sh": it ended with status 3: two');
  expect((await here.exec("sh", script("exit 3"), { exitCodes: [0, 3] })).exitCode).toBe(3);
  expect(await failure(here.exec("sh", script("kill -SEGV $$")))).toMatchObject({
    code: "failed",
    signal: "SIGSEGV",
  });
});

Deno.test("standard input is what is given, whole or left unread, and empty otherwise", async () => {
  await using here = programBench();
  expect((await here.exec("cat", [])).stdout).toBe("");
  expect((await here.exec("cat", [], { stdin: "text" })).stdout).toBe("text");
  expect((await here.exec("cat", [], { stdin: new Secret("text") })).stdout).toBe("text");
  const big = new Uint8Array(500_000).fill(97);
  expect((await here.exec("cat", [], { stdin: big })).stdout.length).toBe(500_000);
  expect((await here.exec("true", [], { stdin: new Uint8Array(5_000_000) })).exitCode).toBe(0);
});

Deno.test("a program runs in a folder below a root, or in /", async () => {
  await using here = programBench();
  const folder = await mkdtemp(join(tmpdir(), "commandcenter-exec-"));
  const root = await openRoot(folder);
  await root.makeFolder("sub");
  await using cwd = await root.openFolder("sub");
  expect((await here.exec("pwd", ["-P"], { cwd })).stdout).toBe(`${join(root.path, "sub")}\n`);
  expect((await here.exec("pwd", [])).stdout).toBe("/\n");
  await rm(folder, { recursive: true });
});

Deno.test("of a flood the ends are kept, in little memory, and it is told how much is missing", async () => {
  await using here = programBench();
  const result = await here.exec(
    "sh",
    script("echo first; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo last"),
    {
      maxOutputBytes: 2000,
    },
  );
  expect(result.stdout).toMatch(/^first\nx+\n\[… 299998012 bytes left out …\]\nx+\nlast\n$/);
  expect(result.stdoutOmittedBytes).toBe(299_998_012);
  expect(result.stdout.length).toBeLessThan(2100);
});

Deno.test("output that has to be whole is an error when it is not, and the program is ended", async () => {
  await using here = programBench();
  const error = await failure(here.exec("yes", [], { maxOutputBytes: 5000, wholeOutput: true }));
  expect(error.code).toBe("output_too_large");
  const onStderr = here.exec("sh", script("yes >&2"), { maxOutputBytes: 5000, wholeOutput: true });
  expect((await failure(onStderr)).message).toContain("stderr");
});

Deno.test("lines come while it runs, whole, torn characters joined, the last one without a line feed too", async () => {
  await using here = programBench();
  const lines: string[] = [];
  const text =
    "printf 'one\\r\\n'; printf '\\303'; sleep 0.05; printf '\\244\\n\\n'; echo err >&2; printf end";
  await here.exec("sh", script(text), { onLine: (line) => void lines.push(`${line.stream} ${line.text}`) });
  expect(lines.filter((line) => line.startsWith("stdout"))).toEqual([
    "stdout one",
    "stdout ä",
    "stdout ",
    "stdout end",
  ]);
  expect(lines).toContain("stderr err");
});

Deno.test("a slow reader holds the program up instead of filling the memory", async () => {
  await using here = programBench();
  let seen = 0;
  let release = () => {};
  const gate = new Promise<void>((resolve) => release = resolve);
  const call = here.exec(
    "sh",
    script(
      "echo $$; echo start; i=0; while [ $i -lt 200 ]; do printf '%s%05000d\\n' line 0; i=$((i+1)); done",
    ),
    {
      onLine: async ({ text }) => {
        seen++;
        if (text === "start") await gate;
      },
    },
  );
  await waitFor(() => seen === 2, { what: "the first lines" });
  const state = await Promise.race([
    call,
    new Promise((resolve) => setTimeout(() => resolve("held up"), 300)),
  ]);
  expect(state).toBe("held up"); // a megabyte waits where pipe and one read hold less
  release();
  await call;
  expect(seen).toBe(202);
});

Deno.test("what the taker of lines throws ends the program and is thrown", async () => {
  await using here = programBench();
  const mine = new Error("mine");
  const call = here.exec("yes", [], {
    onLine: () => {
      throw mine;
    },
  });
  await expect(call).rejects.toBe(mine);
});
