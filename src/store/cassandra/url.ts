// The address of a Cassandra store: cassandra://[user:password@]host1,host2:9042/keyspace?dc=datacenter1&rf=3
// Pure text; opens nothing.

import { quote, Reto3Error } from "../../errors.ts";
import { parseWhole } from "../../units.ts";

export interface CassandraAddress {
  hosts: readonly string[];
  port: number;
  keyspace: string;
  datacenter: string;
  /** Replicas per row in the data centre; undefined: the keyspace's own, 1 for a new one. */
  rf: number | undefined;
  credentials: { username: string; password: string } | undefined;
  /** The address without its password. */
  location: string;
}

const FORM = "cassandra://[USER:PASSWORD@]HOST[,HOST...][:PORT]/KEYSPACE[?dc=DATACENTER][&rf=N]";
const DEFAULT_PORT = 9042;
const DEFAULT_DATACENTER = "datacenter1";

/** Throws USAGE for an address that does not have the form. Never quotes what may be a password. */
export function parseCassandraUrl(url: string): CassandraAddress {
  try {
    return parse(url);
  } catch (error) {
    // Where a password has a / or a ? in it, parts of it look like a host or a keyspace.
    if (url.includes("@"))
      throw usage("it does not have the form; in user and password write @ : / ? # as %40 %3A %2F %3F %23");
    throw error;
  }
}

function parse(url: string): CassandraAddress {
  const match = /^cassandra:\/\/(?:([^@/]*)@)?([^@/?#]+)\/([^?#]*)(?:\?([^#]*))?$/.exec(url);
  if (!match) throw usage("it does not have the form");
  const [, userInfo, hostList = "", keyspace = "", query = ""] = match;
  const { hosts, port } = parseHosts(hostList);
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(keyspace)) {
    throw usage(`the keyspace is ${quote(keyspace)}, want a lower-case letter, then letters, digits or _, 40 at most`);
  }
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((name) => name !== "dc" && name !== "rf");
  if (unknown !== undefined) throw usage(`the parameter ${quote(unknown)} is unknown, there are dc and rf`);
  const datacenter = parameters.get("dc") ?? DEFAULT_DATACENTER;
  if (!/^[A-Za-z0-9_.-]{1,48}$/.test(datacenter)) throw usage(`dc is ${quote(datacenter)}`);
  const rfText = parameters.get("rf");
  const rf = rfText === null ? undefined : parseWhole(rfText, 1, 9);
  if (rfText !== null && rf === undefined) throw usage(`rf is ${quote(rfText)}, want 1 to 9`);
  const credentials = userInfo === undefined ? undefined : parseCredentials(userInfo);
  const shownRf = rf === undefined ? "" : `&rf=${rf}`;
  return {
    hosts,
    port,
    keyspace,
    datacenter,
    rf,
    credentials,
    location: `cassandra://${hosts.join(",")}:${port}/${keyspace}?dc=${datacenter}${shownRf}`,
  };
}

/** `h1,h2:9042` or `h1:9042,h2:9042`: the driver has one port for all nodes of a cluster. */
function parseHosts(hostList: string): { hosts: string[]; port: number } {
  const points = hostList.split(",").map((point) => /^([A-Za-z0-9._-]+)(?::(\d+))?$/.exec(point));
  const hosts = points.map((point) => point?.[1] ?? "");
  if (hosts.includes("")) throw usage(`the hosts are ${quote(hostList)}`);
  const ports = new Set(points.flatMap((point) => point?.[2] ?? []));
  if (ports.size > 1) throw usage(`the hosts are ${quote(hostList)}, with different ports`);
  const [portText = String(DEFAULT_PORT)] = ports;
  const port = parseWhole(portText, 1, 65_535);
  if (port === undefined) throw usage(`the port is ${quote(portText)}`);
  return { hosts, port };
}

function parseCredentials(userInfo: string): { username: string; password: string } {
  const colon = userInfo.indexOf(":");
  if (colon < 1) throw usage("before the @ it has no USER:PASSWORD");
  try {
    return {
      username: decodeURIComponent(userInfo.slice(0, colon)),
      password: decodeURIComponent(userInfo.slice(colon + 1)),
    };
  } catch {
    throw usage("before the @ it has a % that is no URL encoding");
  }
}

function usage(problem: string): Reto3Error {
  return new Reto3Error("USAGE", `store address: ${problem}; want ${FORM}`);
}
