/** What a bench says of a list of samples. */
export type Percentiles = { readonly p50: number; readonly p95: number; readonly p99: number };

/** Nearest rank, rounded to hundredths. @throws when there is no sample to speak of */
export function percentiles(samples: readonly number[]): Percentiles {
  if (samples.length === 0) throw new Error('no samples were taken');
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = (p: number): number => sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
  return { p50: hundredths(rank(0.5)), p95: hundredths(rank(0.95)), p99: hundredths(rank(0.99)) };
}

export const median = (samples: readonly number[]): number => percentiles(samples).p50;

export const hundredths = (value: number): number => Math.round(value * 100) / 100;

export const thousandths = (value: number): number => Math.round(value * 1000) / 1000;
