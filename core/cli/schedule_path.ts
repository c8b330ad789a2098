/** Path of a schedule's route, such as that of `enable`. */
export function schedulePath(id = "", route?: string): string {
  const path = `/api/schedules/${encodeURIComponent(id)}`;
  return route === undefined ? path : `${path}/${route}`;
}
