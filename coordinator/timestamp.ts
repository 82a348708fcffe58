/** Protobuf timestamps as Temporal's client hands them out. */
export type Timestamp = { seconds?: { toString(): string } | number | null; nanos?: number | null };

/** Milliseconds since the epoch; 0 for none. */
export const timeOf = (at: Timestamp | null | undefined): number =>
  Number(at?.seconds?.toString() ?? 0) * 1000 + Math.floor((at?.nanos ?? 0) / 1e6);
