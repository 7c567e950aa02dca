import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { PrismaTransaction } from "taskwright/orm";

const require = createRequire(import.meta.url);

/** What the tests use of a generated client. */
export interface PrismaClient {
  $transaction<T>(work: (tx: PrismaTransaction) => Promise<T>): Promise<T>;
  $queryRawUnsafe(sql: string): Promise<unknown>;
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
}

/** Generates Prisma's client for one kind of database, and answers its class. */
export async function generateClient(
  provider: "postgresql" | "mysql",
): Promise<new (options: { readonly adapter: unknown }) => PrismaClient> {
  const prisma = dirname(require.resolve("prisma/package.json"));
  // The client finds its runtime from where it stands.
  const folder = join(prisma, "..", ".cache", "taskwright-prisma", provider);
  await mkdir(folder, { recursive: true });
  const schema = join(folder, "schema.prisma");
  await writeFile(schema, schemaOf(provider));
  // Generating needs no engine, but would download one; any program that there is will do in its place.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" };
  const command = [join(prisma, "build", "index.js"), "generate", "--schema", schema];
  await promisify(execFile)(process.execPath, command, { env, cwd: folder });
  return require(join(folder, "client")).PrismaClient;
}

function schemaOf(provider: string): string {
  return `
    generator client {
      provider = "prisma-client-js"
      output   = "./client"
    }
    datasource db {
      provider = "${provider}"
    }
    model Effect {
      id Int @id
      @@map("effects")
    }`;
}
