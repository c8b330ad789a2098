/** What a probe found; a `message` says what is wrong and what to do. */
export interface Health {
  readonly status: "up" | "degraded" | "down";
  readonly message?: string;
}

/** The answer for one check, as `/health` shows it. */
export interface CheckResult extends Health {
  readonly name: string;
  /** Whether the agent cannot do its work without it: then a `down` makes `/health` answer 503. */
  readonly required: boolean;
  readonly latencyMs: number;
}

/** All checks, and what they add up to. */
export interface HealthReport {
  /** `unhealthy`: a required check is down; `degraded`: anything else is not up. */
  readonly status: "healthy" | "degraded" | "unhealthy";
  readonly checks: readonly CheckResult[];
}

interface Check {
  readonly name: string;
  readonly required: boolean;
  readonly probe: () => Promise<Health> | Health;
}

/** Milliseconds after which a probe counts as down. */
const probeTimeoutMs = 2000;

/** All registered checks; each probe is bounded in time, so that asking never hangs. */
export class HealthChecks {
  readonly #checks = new Map<string, Check>();

  /** Adds a check and returns the way to take it back. Throws where the name is taken. */
  add(name: string, probe: Check["probe"], options: { required?: boolean } = {}): () => void {
    if (this.#checks.has(name)) throw new Error(`Cannot add the check "${name}": the name is taken`);
    const check: Check = { name, probe, required: options.required ?? false };
    this.#checks.set(name, check);
    return () => void (this.#checks.get(name) === check && this.#checks.delete(name));
  }

  /** Probes everything, or only what is named. */
  async report(only?: string): Promise<HealthReport> {
    const chosen = [...this.#checks.values()].filter((check) => only === undefined || check.name === only);
    const checks = await Promise.all(chosen.map(run));
    const broken = checks.some((check) => check.required && check.status === "down");
    const fine = checks.every((check) => check.status === "up");
    return { status: broken ? "unhealthy" : fine ? "healthy" : "degraded", checks };
  }
}

async function run(check: Check): Promise<CheckResult> {
  const started = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<Health>((resolve) => {
    timer = setTimeout(
      () => resolve({ status: "down", message: `no answer within ${probeTimeoutMs} ms` }),
      probeTimeoutMs,
    );
  });
  let health: Health;
  try {
    health = await Promise.race([Promise.resolve().then(check.probe), timeout]);
  } catch (error) {
    health = { status: "down", message: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
  const latencyMs = Math.round((performance.now() - started) * 100) / 100;
  return { name: check.name, required: check.required, latencyMs, ...health };
}
