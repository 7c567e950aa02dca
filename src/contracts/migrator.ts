/** One numbered change of a driver's schema. */
export interface Migration {
  /** 1, 2, 3: the order in which they are applied. */
  readonly number: number;
  /** Such as `"tables"`. */
  readonly name: string;
  /** All of it as a script, with the line that records it in the ledger, so that it can be pasted into other migrations. */
  readonly sql: string;
}

/** A migration, and whether the database has it. */
export interface MigrationStatus extends Migration {
  /** Epoch ms. Absent: not applied yet. */
  readonly appliedAt?: number;
}

/** Brings a database to the schema that a driver needs. Nothing else of a driver changes a schema. */
export interface Migrator {
  /**
   * Every migration in order.
   *
   * @throws SchemaError when the ledger has a migration that this version does not know, or one that was changed since
   */
  status(): Promise<MigrationStatus[]>;
  /**
   * Applies those that are missing, one by one, under a lock that lets two callers at once do it once.
   *
   * @throws SchemaError as `status` does
   */
  apply(onApplied?: (migration: Migration) => void): Promise<Migration[]>;
  close(): Promise<void>;
}
