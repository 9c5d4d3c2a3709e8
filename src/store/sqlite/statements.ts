// The prepared statements of one database handle. Each is made when it is first wanted, because a file of an older schema
// lacks some tables; all are ended together. Knows no SQL.

import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";

export class Statements {
  readonly #db: Database;
  readonly #made = new Map<string, Statement>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** The statement of this text; the same one each time. */
  get<Row, Params extends SQLQueryBindings[] = SQLQueryBindings[]>(sql: string): Statement<Row, Params> {
    let statement = this.#made.get(sql);
    if (!statement) this.#made.set(sql, (statement = this.#db.prepare(sql)));
    return statement as unknown as Statement<Row, Params>;
  }

  /** SQLite ends a handle, and tidies up its log, only when no statement is left. */
  finalize(): void {
    for (const statement of this.#made.values()) statement.finalize();
    this.#made.clear();
  }
}
