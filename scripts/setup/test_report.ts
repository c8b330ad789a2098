/** What became of the tests of a run, by name; steps count as part of their test. */
export interface TestReport {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

/** Reads the JUnit report that `deno test --junit-path` writes; an empty text is a run that wrote none. */
export function parseTestReport(junit: string): TestReport {
  const report = { passed: [] as string[], failed: [] as string[], skipped: [] as string[] };
  for (const suite of junit.split("<testsuite ").slice(1)) {
    const tests = [...suite.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)]
      .map(([, name = "", content = ""]) => ({ name: unescape(name), content }));
    const names = new Set(tests.map(({ name }) => name));
    for (const { name, content } of tests) {
      if (isStep(name, names)) continue;
      if (/<(failure|error)\b/.test(content)) report.failed.push(name);
      else if (/<skipped\b/.test(content)) report.skipped.push(name);
      else report.passed.push(name);
    }
  }
  return report;
}

// Deno reports the step "s" of the test "t" as a test case "t > s" of the same file.
function isStep(name: string, names: ReadonlySet<string>): boolean {
  for (let end = name.lastIndexOf(" > "); end > 0; end = name.lastIndexOf(" > ", end - 1)) {
    if (names.has(name.slice(0, end))) return true;
  }
  return false;
}

const entities: Readonly<Record<string, string>> = { amp: "&", apos: "'", gt: ">", lt: "<", quot: '"' };

function unescape(text: string): string {
  return text.replace(/&(\w+|#\d+|#x[0-9a-f]+);/gi, (entity, name: string) => {
    if (!name.startsWith("#")) return entities[name] ?? entity;
    return String.fromCodePoint(Number(name.replace("#x", "0x").replace("#", "")));
  });
}
