import {
  type Authenticator,
  AuthorizationError,
  type ConnectionOptions,
  credsAuthenticator,
  type Msg,
  MsgHdrsImpl,
  type NatsConnection,
  NatsConnectionImpl,
  nkeyAuthenticator,
  PermissionViolationError,
  setTransportFactory,
  tokenAuthenticator,
  type Transport,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import { ConfigurationError, messageOf } from "../errors.ts";
import type { BusMessage } from "./bus.ts";
import { NatsTransport } from "./nats_transport.ts";
import { busAddresses, type BusSettings } from "./settings.ts";

// The only file that imports the NATS client; the others take its types from here.
export type { Msg, NatsConnection, Transport };

const oldestVersion = { major: 2, minor: 10 };

/** Connects once to the first server that answers; rejects after 5 s per server. It does not reconnect by itself. */
export function connectNats(settings: BusSettings, clientName: string): Promise<NatsConnection> {
  const addresses = busAddresses(settings.url);
  const options: ConnectionOptions = {
    servers: addresses.map((address) => address.replace(/\/$/, "")),
    name: clientName,
    // What the client does on reconnecting (sending late what was published meanwhile) would reorder events:
    // every connection is a new one, see nats_link.ts.
    reconnect: false,
    timeout: 5000,
    pingInterval: 5000,
    maxPingOut: 2,
    noAsyncTraces: true,
    resolve: false,
  };
  const authenticator = authenticatorFor(settings);
  if (authenticator) options.authenticator = authenticator;
  if (settings.tls || addresses.some((address) => address.startsWith("tls:"))) options.tls = tlsOf(settings);
  setTransportFactory({ factory: () => new NatsTransport() });
  return NatsConnectionImpl.connect(options);
}

/** Throws ConfigurationError when what is configured to log in with cannot be right, whatever the server says. */
export function checkLogin(settings: BusSettings): void {
  try {
    authenticatorFor(settings)?.("any nonce");
  } catch (cause) {
    const [key, expected] = settings.nkey
      ? ["nkey", "the seed of an nkey (SU…)"]
      : ["credentials", "the content of a .creds file, as in ${file:./agent.creds}"];
    throw new ConfigurationError([`Cannot use "bus.${key}": not ${expected}`], { cause });
  }
}

function authenticatorFor(settings: BusSettings): Authenticator | undefined {
  const { token, user, password, credentials, nkey } = settings;
  const bytes = (text: string) => new TextEncoder().encode(text);
  if (token) return tokenAuthenticator(token.reveal());
  if (user && password) return usernamePasswordAuthenticator(user, password.reveal());
  if (credentials) return credsAuthenticator(bytes(credentials.reveal()));
  return nkey && nkeyAuthenticator(bytes(nkey.reveal().trim()));
}

function tlsOf({ tls }: BusSettings): NonNullable<ConnectionOptions["tls"]> {
  return {
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls?.key === undefined ? {} : { key: tls.key.reveal() }),
  };
}

/** What is wrong with the server's version, or undefined where it will do. */
export function versionFault(connection: NatsConnection): string | undefined {
  if (!connection.info) return undefined; // it has ended already, and tells no more
  const { version } = connection.info;
  const [major = 0, minor = 0] = version.split(".").map((part) => parseInt(part, 10) || 0);
  const { major: oldestMajor, minor: oldestMinor } = oldestVersion;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `its NATS server is version ${version || "unknown"}; ` +
    `${oldestMajor}.${oldestMinor} or later is needed, upgrade it`;
}

/** Why connecting failed, for the operator. */
export function connectFault(error: unknown): string {
  if (error instanceof AuthorizationError) {
    return `the server refuses our login (${error.message}); check token, user, credentials or nkey under bus:`;
  }
  return messageOf(error);
}

/** The subject that the server does not let us use, where that is what the error says. */
export function deniedSubject(error: unknown): string | undefined {
  return error instanceof PermissionViolationError ? error.subject : undefined;
}

/** Headers that are encoded already, see outgoing.ts: the client would look at each of them over and over. */
export class EncodedHeaders extends MsgHdrsImpl {
  readonly #block: Uint8Array;

  constructor(block: Uint8Array) {
    super();
    this.#block = block;
  }

  override encode(): Uint8Array {
    return this.#block;
  }
}

/** A received message without what only NATS means by it. */
export function toBusMessage(message: Msg, subject = message.subject): BusMessage {
  const headers: Record<string, string> = {};
  for (const [name, values] of message.headers ?? []) {
    const lowerCase = name.toLowerCase();
    if (!lowerCase.startsWith("nats-")) headers[lowerCase] = values[0] ?? "";
  }
  return { subject, data: message.data, headers };
}
