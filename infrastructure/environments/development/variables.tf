variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "other_region" {
  description = "Where copies of models and backups are"
  type        = string
  default     = "eu-west-1"
}

variable "certificate_arn" {
  description = "Certificate of the load balancer, from ACM"
  type        = string
}

variable "images" {
  description = "Images by service and track, REGISTRY/fair-credit-scorer/SERVICE@sha256:…"
  type        = map(map(string))
}

variable "files_image" {
  description = "A small image with sh, by digest"
  type        = string
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
}

variable "cache_token" {
  type      = string
  sensitive = true
}

variable "rotation_function_arn" {
  type    = string
  default = null
}

variable "variables" {
  type    = map(string)
  default = {}
}
