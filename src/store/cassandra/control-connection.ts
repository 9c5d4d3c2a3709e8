/* oxlint-disable no-underscore-dangle -- the names are the driver's own */

// Keeps the driver to one control connection and one pool a node. Touches what is private to cassandra-driver 4.10.0
// (lib/control-connection.js, lib/host.js), whose version package.json pins.
//
// When all nodes are lost, the driver resolves the contact points anew and starts as if for the first time: a second pool for a
// node that has one, which goes on connecting by itself, and a control connection that is watched twice, so that twice as many
// are connected anew at the next loss. After twelve losses a server had a thousand connections, after fifty ten thousand and 5 GB of memory.
// So: it starts like that at addresses that it does not know alone. Nodes that it knows come back by their own pools, of which each has one.

import { types, type Client, type Host } from "cassandra-driver";

interface ControlConnection {
  connection: object | null;
  readonly hosts: { get(endpoint: string): object | undefined; values(): PooledHost[] };
  readonly _profileManager: { getDistance(host: PooledHost): types.distance };
  /** "address:port" of all that the contact points lead to. */
  readonly _contactPoints: Set<string>;
  readonly _resolvedContactPoints: Map<string, readonly string[]>;
  _parseContactPoint(name: string): Promise<void>;
  /** Throws where no node has a connection. */
  _borrowAConnection(hosts: object): object;
  /** Connects to the first of `_contactPoints` that answers. */
  _initializeConnection(): Promise<void>;
  _refreshControlConnection(hosts: object): Promise<void>;
  /** From now on `connection` is connected anew when it breaks. */
  _setHealthListeners(host: object, connection: object): void;
}

interface PooledHost extends Host {
  /** Connects in the background, where no connection is there and none is on its way. */
  initializePool(): void;
}

/** Before `client` connects. */
export function keepToOneControlConnection(client: Client, contactPoints: readonly string[]): void {
  const { controlConnection: control } = client as unknown as { controlConnection: ControlConnection };
  const watch = control._setHealthListeners.bind(control);
  let isBeginning = false;
  control._setHealthListeners = (host, connection) => {
    // It is watched when it is in use: two that see it break while it is being connected would get into each other's way.
    if (!isBeginning) watch(host, connection);
  };

  /** A node that was met after the first connection has a pool without any connection, which nobody else fills. */
  const fillPools = () => {
    for (const host of control.hosts.values()) {
      if (control._profileManager.getDistance(host) !== types.distance.ignored) host.initializePool();
    }
  };

  control._refreshControlConnection = async (hosts) => {
    try {
      control.connection = control._borrowAConnection(hosts);
    } catch (error) {
      control._contactPoints.clear();
      control._resolvedContactPoints.clear();
      await Promise.all(contactPoints.map((name) => control._parseContactPoint(name)));
      // In a container's new life its name leads elsewhere.
      for (const endpoint of control._contactPoints)
        if (control.hosts.get(endpoint)) control._contactPoints.delete(endpoint);
      try {
        if (control._contactPoints.size === 0) throw error;
        isBeginning = true;
        await control._initializeConnection();
      } finally {
        isBeginning = false;
        fillPools();
      }
    }
  };
}
