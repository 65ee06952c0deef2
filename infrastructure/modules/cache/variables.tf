variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "node_type" {
  type = string
}

variable "nodes" {
  type = number
}

variable "key_arn" {
  type = string
}

variable "auth_token" {
  description = "What clients show to Redis, from the secret store"
  type        = string
  sensitive   = true
}
