import { expect } from "expect";
import { join } from "node:path";
import { bunVersion, ownTarget } from "../../scripts/compile/target.ts";
import { runProgram } from "../../scripts/setup/run_program.ts";
import { programsFolder, repository, toolsFolder } from "../../scripts/setup/tools_folder.ts";
import { type DockerEngine, openDockerEngine } from "../support/docker_engine.ts";
import { packedFrom, packProgram } from "../support/packed_program.ts";
import { packRootFilesystem } from "../support/root_filesystem.ts";
import { testWith } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

/** As compose.yaml runs it. */
const closed = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"];

interface Images {
  readonly builder: string;
  readonly base: string;
  readonly agent: string;
}

/**
 * Stands in for the images of Dockerfile, which not every machine can fetch: a builder of Deno, what it has fetched
 * already, and a handful of programs; and a base of glibc alone.
 */
async function importBases({ docker }: DockerEngine, { builder, base }: Images): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-image-" });
  try {
    const program = await packProgram(repository, join(toolsFolder, "packed"));
    const forProgram = await packRootFilesystem(join(folder, "base"), { programs: [program] });
    await docker("import", forProgram, base);
    const bun = `${ownTarget().bun}-${bunVersion}`;
    const { denoDir } = JSON.parse(
      await runProgram([Deno.execPath(), "info", "--json"], { timeoutMs: 30_000 }),
    );
    const forBuilder = await packRootFilesystem(join(folder, "builder"), {
      programs: ["sh", "mkdir", "tar", "gzip", Deno.execPath()],
      files: {
        [Deno.execPath()]: "/bin/deno",
        [join(denoDir, "npm")]: "/deno/npm",
        [join(denoDir, "dl")]: "/deno/dl", // the bundler
        [join(programsFolder, bun)]: `/src/.tools/bin/${bun}`,
      },
    });
    await docker("import", "--change=ENV DENO_DIR=/deno", forBuilder, builder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function buildImage({ docker }: DockerEngine, { builder, base, agent }: Images): Promise<void> {
  const args = {
    BUILDER: builder,
    BASE: base,
    COMMIT: packedFrom.commit,
    SOURCE_DATE_EPOCH: Date.parse(packedFrom.time) / 1000,
  };
  const buildArgs = Object.entries(args).map(([name, value]) => `--build-arg=${name}=${value}`);
  await docker("build", "--network=none", ...buildArgs, `--tag=${agent}`, repository);
}

testWith({
  needs: ["docker"],
  name: "the image is built from Dockerfile, and works closed in: no root, nothing writable but /data",
  async run() {
    await using engine = await openDockerEngine();
    const { docker } = engine;
    const name = `commandcenter-test-${crypto.randomUUID().slice(0, 8)}`;
    const images = { builder: `${name}:builder`, base: `${name}:base`, agent: `${name}:agent` };
    const inside = (...args: string[]) => docker("exec", name, "/usr/local/bin/commandcenter", ...args);
    try {
      await importBases(engine, images);
      await buildImage(engine, images);
      await docker(
        "run",
        "-d",
        `--name=${name}`,
        "--network=none",
        ...closed,
        "--health-interval=1s",
        images.agent,
      );
      const healthy = () => docker("inspect", "--format={{.State.Health.Status}}", name);
      await waitFor(async () => await healthy() === "healthy", { what: "good health", timeoutMs: 60_000 });

      expect(await inside("version")).toContain(`(${packedFrom.commit}, ${packedFrom.time}, Bun `);
      expect(await inside("events", "publish", "demo.hello", '{"text":"kept"}')).toMatch(/^seq +1$/m);
      const processes = await docker("top", name, "-eo", "pid,uid,args");
      expect(processes.split("\n").slice(1).every((line) => /^ *\d+ +1993 /.test(line))).toBe(true);
      await expect(docker("cp", `${name}:/bin/sh`, "-")).rejects.toThrow(); // nothing there to run but the agent

      await docker("stop", "--time=15", name);
      expect(await docker("inspect", "--format={{.State.ExitCode}}", name)).toBe("0");
      await docker("start", name);
      await waitFor(() => inside("status"), { what: "the agent again", timeoutMs: 30_000 });
      expect(await inside("events", "query", "--subject", "demo.>")).toContain("kept");
    } finally {
      await docker("rm", "--force", "--volumes", name).catch(() => {});
      await docker("rmi", "--force", ...Object.values(images)).catch(() => {});
    }
  },
});
