/** Several metrics of one source, one reading: who asks while a reading is under way gets that one. */
export function sharedReading<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<Value> | undefined;
  return () => underWay ??= read().finally(() => underWay = undefined);
}
