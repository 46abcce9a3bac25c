/** One thing that the doctor looked at. */
export interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly value: string;
  readonly threshold: string;
  /** What to do about it; null where all is well. */
  readonly fix: string | null;
}

export interface Finding {
  readonly ok: boolean;
  readonly value: string;
  readonly fix: string;
}

/** A look that itself fails is a failed check. */
export async function look(check: string, threshold: string, finding: () => Promise<Finding> | Finding): Promise<Check> {
  try {
    const { ok, value, fix } = await finding();
    return { check, ok, value, threshold, fix: ok ? null : fix };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { check, ok: false, value: message, threshold, fix: 'see the value' };
  }
}
