/** Path of a consumer's route, such as that of `fetch`. */
export function consumerPath(name = "", route?: string): string {
  const path = `/api/events/consumers/${encodeURIComponent(name)}`;
  return route === undefined ? path : `${path}/${route}`;
}
