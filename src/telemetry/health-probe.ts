// Whether something that the service depends on answers, asked over and over so that readiness never has to wait.

export interface HealthProbe {
  /** Whether the last question was answered. */
  holds(): boolean;
  stop(): void;
}

/** Asks every `intervalMs`. One question at a time: while one hangs, the response is no. */
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
