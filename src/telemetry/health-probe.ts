// Checks at intervals whether a dependency answers, so that readiness never has to wait.

export interface HealthProbe {
  /** Whether the last check succeeded. */
  holds(): boolean;
  stop(): void;
}

/** Calls `ask` every `intervalMs`, never twice at the same time. While a call does not return, `holds` is false. */
export function startHealthProbe(ask: () => Promise<unknown>, intervalMs = 1000): HealthProbe {
  let answered = true;
  let asking = false;
  const timer = setInterval(() => {
    if (asking) {
      answered = false;
      return;
    }
    asking = true;
    ask()
      .then(
        () => {
          answered = true;
        },
        () => {
          answered = false;
        },
      )
      .finally(() => {
        asking = false;
      });
  }, intervalMs);
  timer.unref();
  return { holds: () => answered, stop: () => clearInterval(timer) };
}
