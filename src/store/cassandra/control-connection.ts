/* oxlint-disable no-underscore-dangle -- the names are the driver's own */

// Keeps the driver to one control connection and one pool a node. Touches what is private to cassandra-driver 4.10.0
// (lib/control-connection.js), whose version package.json pins.
//
// When all nodes are lost, the driver resolves the contact points anew and starts as if for the first time: a second pool for a
// node that has one, which goes on connecting by itself, and a control connection that is watched twice, so that twice as many
// are connected anew at the next loss. After twelve losses a server had a thousand connections, after fifty ten thousand and 5 GB of memory.
// So: it starts like that at addresses that it does not know alone. Nodes that it knows come back by their own pools.

import type { Client } from "cassandra-driver";

interface ControlConnection {
  connection: object | null;
  readonly hosts: { get(endpoint: string): object | undefined };
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

/** Before `client` connects. */
export function keepToOneControlConnection(client: Client, contactPoints: readonly string[]): void {
  const { controlConnection: control } = client as unknown as { controlConnection: ControlConnection };
  const watch = control._setHealthListeners.bind(control);
  const watched = new WeakSet<object>();
  control._setHealthListeners = (host, connection) => {
    if (watched.has(connection)) return;
    watched.add(connection);
    watch(host, connection);
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
      if (control._contactPoints.size === 0) throw error;
      await control._initializeConnection();
    }
  };
}
