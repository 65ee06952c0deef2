variable "environment" {
  type = string
  validation {
    condition     = contains(["development", "staging", "production"], var.environment)
    error_message = "development, staging or production."
  }
}

variable "region" {
  type = string
}

variable "zones" {
  type = list(string)
}

variable "survives_a_zone" {
  description = "Whether database, cache and way out stand in more than one zone"
  type        = bool
}

variable "protected" {
  description = "Whether database, load balancer and model versions are kept from deletion"
  type        = bool
}

variable "internal" {
  description = "Whether the load balancer is reached from the network alone"
  type        = bool
}

variable "client_cidrs" {
  description = "Who reaches the load balancer"
  type        = list(string)
}

variable "certificate_arn" {
  type = string
}

variable "images" {
  description = "Images by service and track, by digest"
  type        = map(map(string))
  validation {
    condition     = length(setsubtract(["scoring-gateway", "model-server", "bias-monitor", "deployment-audit"], keys(var.images))) == 0
    error_message = "Name images of all four services."
  }
}

variable "files_image" {
  type = string
}

variable "repository_arn" {
  type    = string
  default = null
}

variable "weights" {
  type    = object({ blue = number, green = number })
  default = { blue = 100, green = 0 }
}

variable "active_model_server" {
  type    = string
  default = "blue"
  validation {
    condition     = contains(["blue", "green"], var.active_model_server)
    error_message = "blue or green."
  }
}

variable "count_min" {
  type = number
}

variable "count_max" {
  type = number
}

variable "database_class" {
  type = string
}

variable "database_gib" {
  type = number
}

variable "cache_type" {
  type = string
}

variable "cache_token" {
  description = "What clients show to Redis"
  type        = string
  sensitive   = true
}

variable "model_lock_days" {
  description = "Days in which nobody deletes a model version; 25 months is how long records are kept (12 CFR 1002.12(b))"
  type        = number
}

variable "rotation_function_arn" {
  type    = string
  default = null
}

variable "prometheus_url" {
  type    = string
  default = "http://prometheus.internal:9090"
}

variable "variables" {
  description = "Further variables of every service, such as FCS__AUTH__OIDC__ISSUER"
  type        = map(string)
  default     = {}
}

variable "log_days" {
  type = number
}
