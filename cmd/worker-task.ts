// What a supervisor tells the workers that it starts beyond the flags, in a variable that is not for people.

export interface WorkerTask {
  /** From 1 on. The first does what one process does for all of them. */
  number: number;
  /** Where all of them listen. */
  port: number;
  /** None of them listens yet: whoever else does is a stranger. */
  takesPort: boolean;
}

const VARIABLE = "RETO3_WORKER_TASK";

export function taskVariable(task: WorkerTask): Record<string, string> {
  return { [VARIABLE]: JSON.stringify(task) };
}

/** Undefined where this process is nobody's worker. */
export const workerTask = ownTask();

function ownTask(): WorkerTask | undefined {
  const written = process.env[VARIABLE];
  // Whoever has the variable, but nobody to talk to, was not started by a supervisor.
  return written === undefined || process.send === undefined ? undefined : (JSON.parse(written) as WorkerTask);
}
