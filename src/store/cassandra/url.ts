// The address of a Cassandra store: cassandra://user@host1,host2:9042/keyspace?dc=datacenter1&password_file=/run/secrets/cassandra&tls=on
// Pure text; opens nothing, reads no file.

import { quote, Reto3Error } from "../../errors.ts";
import { parseWhole } from "../../units.ts";

export interface CassandraAddress {
  hosts: readonly string[];
  port: number;
  keyspace: string;
  datacenter: string;
  /** Replicas per row in the data centre; undefined: the keyspace's own, 1 for a new one. */
  rf: number | undefined;
  login: { user: string; password: string } | { user: string; passwordFile: string } | undefined;
  /** Undefined: plain text. All of them names of PEM files; without `ca` the system's certificate authorities count. */
  tls: { ca?: string; client?: { cert: string; key: string } } | undefined;
  /** The address without user, password and files. */
  location: string;
}

/** What holds where the address says nothing: from variables, as a rule, since other users of a machine see its arguments. */
export interface CassandraLogin {
  user?: string | undefined;
  password?: string | undefined;
  passwordFile?: string | undefined;
}

const FORM =
  "cassandra://[USER[:PASSWORD]@]HOST[,HOST...][:PORT]/KEYSPACE[?dc=DATACENTER][&rf=N][&password_file=FILE][&tls=on[&ca=FILE][&cert=FILE&key=FILE]]";
const PARAMETERS = ["dc", "rf", "password_file", "tls", "ca", "cert", "key"];
const DEFAULT_PORT = 9042;
const DEFAULT_DATACENTER = "datacenter1";

/** Throws USAGE for an address that does not have the form. Never quotes what may be a password. */
export function parseCassandraUrl(url: string, login: CassandraLogin = {}): CassandraAddress {
  try {
    return parse(url, login);
  } catch (error) {
    // Where a password has a / or a ? in it, parts of it look like a host, a keyspace or a parameter.
    if (!/^[^@/]*\/\/[^@/]*@[^@]*$|^[^@]*$/.test(url))
      throw usage("it does not have the form; in user and password write @ : / ? # as %40 %3A %2F %3F %23");
    throw error;
  }
}

function parse(url: string, outside: CassandraLogin): CassandraAddress {
  const match = /^cassandra:\/\/(?:([^@/]*)@)?([^@/?#]+)\/([^?#]*)(?:\?([^#]*))?$/.exec(url);
  if (!match) throw usage("it does not have the form");
  const [, userInfo, hostList = "", keyspace = "", query = ""] = match;
  const { hosts, port } = parseHosts(hostList);
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(keyspace)) {
    throw usage(`the keyspace is ${quote(keyspace)}, want a lower-case letter, then letters, digits or _, 40 at most`);
  }
  const parameters = parseParameters(query);
  const datacenter = parameters.get("dc") ?? DEFAULT_DATACENTER;
  if (!/^[A-Za-z0-9_.-]{1,48}$/.test(datacenter)) throw usage(`dc is ${quote(datacenter)}`);
  const rfText = parameters.get("rf");
  const rf = rfText === undefined ? undefined : parseWhole(rfText, 1, 9);
  if (rfText !== undefined && rf === undefined) throw usage(`rf is ${quote(rfText)}, want 1 to 9`);
  const login = parseLogin(userInfo, parameters.get("password_file"), outside);
  const tls = parseTls(parameters);
  const shownRf = rf === undefined ? "" : `&rf=${rf}`;
  const shownTls = tls ? "&tls=on" : "";
  return {
    hosts,
    port,
    keyspace,
    datacenter,
    rf,
    login,
    tls,
    location: `cassandra://${hosts.join(",")}:${port}/${keyspace}?dc=${datacenter}${shownRf}${shownTls}`,
  };
}

/** `h1,h2:9042` or `h1:9042,h2:9042`: the driver has one port for all nodes of a cluster. */
function parseHosts(hostList: string): { hosts: string[]; port: number } {
  const points = hostList.split(",").map((point) => /^([A-Za-z0-9._-]+)(?::(\d+))?$/.exec(point));
  const hosts = points.map((point) => point?.[1] ?? "");
  // Without the rest, which in ann:secret, where the @ and the hosts are forgotten, is a password.
  const shown = quote(hostList.replaceAll(/:[^,]*/g, ":..."));
  if (hosts.includes("")) throw usage(`the hosts are ${shown}`);
  const ports = new Set(points.flatMap((point) => point?.[2] ?? []));
  if (ports.size > 1) throw usage(`the hosts are ${shown}, with different ports`);
  const [portText = String(DEFAULT_PORT)] = ports;
  const port = parseWhole(portText, 1, 65_535);
  if (port === undefined) throw usage(`the port of ${shown} is not one from 1 to 65535`);
  return { hosts, port };
}

function parseParameters(query: string): Map<string, string> {
  // A + is one, as in the name of a file, and no space.
  const pairs = [...new URLSearchParams(query.replaceAll("+", "%2B"))];
  const parameters = new Map(pairs);
  const unknown = pairs.find(([name]) => !PARAMETERS.includes(name))?.[0];
  if (unknown !== undefined)
    throw usage(`the parameter ${quote(unknown)} is unknown, there are ${PARAMETERS.join(", ")}`);
  if (parameters.size < pairs.length) throw usage("a parameter is there twice");
  const empty = pairs.find(([, value]) => value === "")?.[0];
  if (empty !== undefined) throw usage(`the parameter ${empty} is empty`);
  return parameters;
}

/** Who the address says goes in; where it says nothing of the user, or nothing of the password, `outside` does. */
function parseLogin(
  userInfo: string | undefined,
  passwordFileHere: string | undefined,
  outside: CassandraLogin,
): CassandraAddress["login"] {
  const here: CassandraLogin = userInfo === undefined ? {} : parseUserInfo(userInfo);
  if (here.password !== undefined && passwordFileHere !== undefined)
    throw usage("it has a password and a password_file, want one of them");
  const own = here.password !== undefined || passwordFileHere !== undefined;
  const user = here.user ?? outside.user;
  const password = own ? here.password : outside.password;
  const passwordFile = own ? passwordFileHere : outside.passwordFile;
  if (password !== undefined && passwordFile !== undefined)
    throw usage("RETO3_CASSANDRA_PASSWORD and RETO3_CASSANDRA_PASSWORD_FILE are both set, want one of them");
  if (user === undefined) {
    if (password === undefined && passwordFile === undefined) return undefined;
    throw usage("there is a password but no user; write USER@ before the hosts, or set RETO3_CASSANDRA_USER");
  }
  if (passwordFile !== undefined) return { user, passwordFile };
  if (password !== undefined) return { user, password };
  throw usage(
    "there is a user but no password; name a file that has it with password_file or RETO3_CASSANDRA_PASSWORD_FILE, or set RETO3_CASSANDRA_PASSWORD",
  );
}

function parseUserInfo(userInfo: string): { user: string; password?: string } {
  const [, user = "", password] = /^([^:]*)(?::(.*))?$/s.exec(userInfo) ?? [];
  if (user === "") throw usage("before the @ it has no user");
  if (password === "") throw usage("before the @ it has an empty password");
  try {
    const decoded = decodeURIComponent(user);
    return password === undefined ? { user: decoded } : { user: decoded, password: decodeURIComponent(password) };
  } catch {
    throw usage("before the @ it has a % that is no URL encoding");
  }
}

/** There is no way to ask for TLS without the check of the server's certificate: against whom would it help? */
function parseTls(parameters: ReadonlyMap<string, string>): CassandraAddress["tls"] {
  const [tls, ca, cert, key] = ["tls", "ca", "cert", "key"].map((name) => parameters.get(name));
  if (tls !== undefined && tls !== "on") throw usage(`tls is ${quote(tls)}, want on, or no tls`);
  if (tls === undefined) {
    if (ca !== undefined || cert !== undefined || key !== undefined) throw usage("ca, cert and key want tls=on");
    return undefined;
  }
  if ((cert === undefined) !== (key === undefined)) throw usage("it has one of cert and key, want both or neither");
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && key !== undefined && { client: { cert, key } }),
  };
}

function usage(problem: string): Reto3Error {
  return new Reto3Error("USAGE", `store address: ${problem}; want ${FORM}`);
}
