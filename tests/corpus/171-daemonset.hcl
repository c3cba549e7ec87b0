upgrade "agent" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "agent" {
  namespace = "agents"
  chart     = "agent/agent"
  workloads = ["deployment/agent-api", "daemonset/agent"]
}

migrate "m" {
  exec     = ["x"]
  status   = ["y"]
  workload = "statefulset/"
}
