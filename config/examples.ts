/** One whole file of each kind, for the reference; a test loads them. */
import type { Kind } from './kinds.ts';

const coordinator = `
name      = "c1"
inventory = "inventory.hcl"
grant_key = "grant.key"

server_config {
  listen = "0.0.0.0:7443"

  route_rule {
    name           = "people_read"
    method         = "GET"
    route_patterns = ["/v1/*"]
    uris           = ["spiffe://example.com/person/*"]
  }
  route_rule {
    name           = "requests"
    method         = "POST"
    route_patterns = ["/v1/requests", "/v1/episodes"]
    uris           = ["spiffe://example.com/person/*", "spiffe://example.com/trigger-daemon"]
  }
  route_rule {
    name           = "metrics"
    method         = "GET"
    route_patterns = ["/metrics"]
    allow_public   = true
    skip_log_match = true
  }
}

workflow_rule "people" {
  workflows = ["*"]
  uris      = ["spiffe://example.com/person/*"]
  verbs     = ["run", "cancel", "approve", "pause"]
}

workflow_rule "triggers" {
  workflows  = ["restart-service"]
  node_types = ["web"]
  uris       = ["spiffe://example.com/trigger-daemon"]
  verbs      = ["run"]
}

source_rule "triggers" {
  sources = ["prometheus.main"]
  uris    = ["spiffe://example.com/trigger-daemon"]
}

identity {
  certificate = "svid.pem"
  key         = "svid.key"
  bundle      = "bundle.pem"
}

temporal {
  address = "temporal.example.com:7233"
  tls {}
}

source "prometheus" "main" {
  url = "http://prometheus.example.com:9090"
}

notify "oncall" {
  url         = "https://hooks.example.com/fettle"
  bearer_file = "hook.token"
}

limit "changes-at-once" {   # of all that changes hosts, five at a time
  kind  = "concurrency"
  value = 5
}

window "backups" {
  changes    = "forbidden"
  hours      = "22:00-06:00"
  time_zone  = "Europe/Berlin"
  node_types = ["database"]
  reason     = "backups run"
}

audit {
  file = "/var/log/fettle/audit.jsonl"
}
`;

const agent = `
actions_dir = "actions.d"

identity {
  certificate = "svid.pem"
  key         = "svid.key"
  bundle      = "bundle.pem"
}

temporal {
  address = "temporal.example.com:7233"
  tls {}
}

coordinator {
  issuer     = "spiffe://example.com/coordinator"
  grant_keys = ["grant.pub"]
}

allow "ping" {}
allow "systemd.restart" {
  args = { unit = "(web|worker-[0-9]+)\\\\.service" }
}
allow "exec" {
  args     = { command = { one_of = ["clear-cache", "rotate-logs"] } }
  per_hour = 6
}
never "*" {
  args = { unit = { units = ["ssh.service", "ssh.socket"] } }
}

clean "uploads" {
  directory  = "/srv/web/uploads/tmp"
  pattern    = ".*\\\\.part"
  older_than = "1d"
}

metrics {
  listen = "127.0.0.1:9464"
}
`;

const triggerDaemon = `
name = "watcher-1"

identity {
  certificate = "svid.pem"
  key         = "svid.key"
  bundle      = "bundle.pem"
}

coordinator {
  addresses = ["https://c1.example.com:7443", "https://c2.example.com:7443"]
  id        = "spiffe://example.com/coordinator"
}

source "prometheus" "main" {
  url     = "https://prometheus.example.com/prod"
  headers = { "X-Scope-OrgID" = "fleet" }
  basic {
    username      = "fettle"
    password_file = "prometheus.password"
  }
}
`;

const workflow = `
# restart-service.hcl
description       = "Restart one systemd unit and see the alert clear"
task_queue_target = "node"

constraint {                # one at a time on each target, and none within 15 minutes of the last
  kind   = "concurrency"
  value  = 1
  period = "15m"
}
constraint {                # at most three a day, over the whole fleet
  kind      = "maxExecution"
  value     = 3
  period    = "24h"
  is_global = true
}

mode = "auto"
override {                  # databases only when somebody says yes
  mode       = "ask"
  node_types = ["database"]
}

input "unit" {
  description = "The unit to restart"
  pattern     = "[A-Za-z0-9@._-]+\\\\.service"
}

step "restart" {
  action  = "systemd.restart"
  args    = { unit = "\${input.unit}" }
  timeout = "2m"
  retry   = { attempts = 2, wait = "10s" }
}

verify {
  source  = "prometheus.main"
  query   = "up{node=\\"\${target.node}\\"} == 1"
  for     = "1m"
  timeout = "5m"
}

on_failure {
  notify = "oncall"
}
`;

const triggers = `
source "prometheus" "main" {
  url = "http://127.0.0.1:9090"
}

trigger "web-wedged" {
  source     = "prometheus.main"
  query      = "probe_success{job=\\"web\\"} == 0"
  every      = "5s"
  for        = "15s"
  workflow   = "restart-service"
  target     = { node = "\${labels.node}" }
  node_types = ["web"]
  args       = { unit = "web.service" }
}

trigger "disk-full" {
  source          = "prometheus.main"
  alert           = "DiskAlmostFull"
  workflow        = "clean-disk"
  target          = { node = "\${labels.node}" }
  args            = { mount = "\${labels.mountpoint}" }
  volatile_labels = ["pod"]
  again           = "6h"
}
`;

const inventory = `
node "web-1" {
  type       = "web"
  datacenter = "dc1"
  labels     = { rack = "r1" }
}
node "db-1" {
  type       = "database"
  datacenter = "dc1"
}
`;

const commands = `
command "clear-cache" {
  argv    = ["/usr/local/bin/cache-tool", "clear", "--site={site}"]
  timeout = "30s"
  input "site" {
    pattern = "[a-z0-9-]{1,40}"
  }
}
`;

const client = `
addresses      = ["https://c1.example.com:7443", "https://c2.example.com:7443"]
coordinator_id = "spiffe://example.com/coordinator"
certificate    = "me.pem"
key            = "me.key"
bundle         = "bundle.pem"
`;

export const EXAMPLES: Readonly<Record<Kind, string>> = {
  coordinator,
  agent,
  'trigger-daemon': triggerDaemon,
  workflow,
  triggers,
  inventory,
  commands,
  client,
};
