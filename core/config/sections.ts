import { z } from "zod";
import { busSettings } from "../bus/settings.ts";
import { execSettings } from "../exec/settings.ts";
import { httpSettings } from "../http/settings.ts";
import { jobSettings } from "../jobs/job_settings.ts";
import { fetchSettings } from "../net/settings.ts";
import { storageSettings } from "../storage/settings.ts";
import { logSettings } from "./log_settings.ts";
import { nodeSettings } from "./node_settings.ts";
import { projectList } from "./project_settings.ts";

/** Every section but `plugins`, by key; what each of them holds is up to the part of the kernel it is for. */
export const sections = {
  node: nodeSettings.prefault({}).describe("Who this host is and where it keeps its data"),
  http: httpSettings.prefault({}).describe("The HTTP server"),
  bus: busSettings.prefault({}).describe("How hosts talk to each other"),
  storage: storageSettings.prefault({}).describe("The database"),
  jobs: jobSettings.prefault({}).describe("Durable background work"),
  fetch: fetchSettings.prefault({}).describe("Requests to others"),
  exec: execSettings.prefault({}).describe("Programs that plugins start"),
  log: logSettings.prefault({}).describe("What is logged, and how"),
  projects: projectList.prefault([]).describe("The projects of this host"),
};

/** The whole file; the settings of each plugin are parsed by that plugin's own schema. */
export const configurationSchema = z.strictObject({
  ...sections,
  plugins: z.record(z.string(), z.unknown()).describe("What runs: a key that is present is on"),
});
