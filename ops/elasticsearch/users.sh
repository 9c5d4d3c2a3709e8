#!/usr/bin/env bash
# Gives Kibana's own user its password, and Logstash a user that may write what the monitors write and nothing else.
# Run by compose.monitoring.secure.yml; may be repeated. Reads the passwords from the environment and prints none.
set -euo pipefail

ask() {
  local method=$1 path=$2 body=$3 answer
  # The user goes in by a file descriptor: what is on the command line can be seen by others.
  answer=$(curl -sS --fail-with-body --max-time 30 -X "$method" -H 'Content-Type: application/json' \
    --config <(printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD") --data-binary @- "$ELASTICSEARCH$path" <<<"$body") || {
    echo "reto3 users: $method $path failed: $answer" >&2
    exit 1
  }
  echo "reto3 users: $method $path: done"
}

for password in "$ELASTIC_PASSWORD" "$KIBANA_SYSTEM_PASSWORD" "$LOGSTASH_PASSWORD"; do
  case $password in
  *[\"\\]*) echo 'reto3 users: a password must have no " and no \ in it' >&2 && exit 2 ;;
  esac
done

ask POST /_security/user/kibana_system/_password "{\"password\":\"$KIBANA_SYSTEM_PASSWORD\"}"
ask PUT /_security/role/reto3_logstash '{
  "cluster": ["monitor"],
  "indices": [
    { "names": ["metrics-reto.*"], "privileges": ["create_doc", "auto_configure", "view_index_metadata"] },
    { "names": ["reto-count-*"], "privileges": ["index", "create_index", "auto_configure", "view_index_metadata"] }
  ]
}'
ask PUT /_security/user/reto3_logstash "{\"password\":\"$LOGSTASH_PASSWORD\",\"roles\":[\"reto3_logstash\"],\"full_name\":\"Logstash of reto3\"}"
