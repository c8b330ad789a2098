/** Path of a job's route, such as that of `cancel`. */
export function jobPath(id = "", route?: string): string {
  const path = `/api/jobs/${encodeURIComponent(id)}`;
  return route === undefined ? path : `${path}/${route}`;
}
