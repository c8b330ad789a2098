import type { DataOwner } from "../backup/data_owners.ts";

/** Everybody who may have tables here: the kernel, and every plugin of this program, on or off. */
export async function loadDataOwners(): Promise<DataOwner[]> {
  const [{ dataOwners }, { loadAllPlugins }, { registry }] = await Promise.all([
    import("../backup/data_owners.ts"),
    import("../config/plugin_registry.ts"),
    import("../../plugins/registry.ts"),
  ]);
  return dataOwners(await loadAllPlugins(registry));
}
