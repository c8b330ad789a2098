import type { Driver } from "kysely";
import { messageOf, Problem } from "../errors.ts";

/** The database does not answer. Whether a write was done nobody knows; a read was not. */
export class StorageUnavailable extends Problem {
  constructor(cause: unknown) {
    super(503, "storage_unavailable", {
      detail:
        "The database of the agent does not answer: a change may or may not have been made. Try again shortly",
      cause,
      extras: { retry_after: 5 },
    });
  }
}

/** What the operating system says of a connection that cannot be had, or broke. */
const connectionCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);
/** SQLSTATE: connection exceptions, and a server that is stopping, crashed or starting. */
const serverCodes = /^(08\w{3}|57P0[123])$/;
/** The driver's own errors have no code. */
const driverTexts =
  /^(Connection terminated|Client has encountered a connection error|timeout (exceeded|expired)|Query read timeout|connection error)/i;

/** Whether the error says that the connection to PostgreSQL is gone, or was never there. */
export function isConnectionLost(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code === "string" && (connectionCodes.has(code) || serverCodes.test(code))) return true;
  return driverTexts.test(messageOf(error));
}

/** Makes a driver throw StorageUnavailable where its database is away, whatever it was asked for. */
export function guardConnections(driver: Driver): Driver {
  const known = new WeakSet();
  const acquire = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async (options) => {
    const connection = await acquire(options).catch(rethrow);
    if (known.has(connection)) return connection;
    known.add(connection);
    const execute = connection.executeQuery.bind(connection);
    connection.executeQuery = <Row>(...query: Parameters<typeof execute>) =>
      execute<Row>(...query).catch(rethrow);
    return connection;
  };
  for (const step of ["beginTransaction", "commitTransaction", "rollbackTransaction"] as const) {
    const run = driver[step].bind(driver) as (...given: unknown[]) => Promise<void>;
    driver[step] = (...given: unknown[]) => run(...given).catch(rethrow);
  }
  return driver;
}

function rethrow(error: unknown): never {
  throw isConnectionLost(error) ? new StorageUnavailable(error) : error;
}
