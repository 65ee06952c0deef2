variable "name" {
  description = "Prefix of every name"
  type        = string
}

variable "service" {
  description = "The service, which is also its binary"
  type        = string
}

variable "environment" {
  type = string
}

variable "region" {
  type = string
}

variable "port" {
  type = number
}

variable "admin_port" {
  type = number
}

variable "images" {
  description = "Image of each track, by digest"
  type        = map(string)
  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "Name images by digest, NAME@sha256:…: a tag can become another image after it was approved."
  }
}

variable "files_image" {
  description = "Image with sh, by digest, that writes the files"
  type        = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.files_image))
    error_message = "Name the image by digest."
  }
}

variable "repository_arn" {
  description = "ECR repositories that the images come from; null for a public registry"
  type        = string
}

variable "settings" {
  description = "Text of config/ENVIRONMENT.toml"
  type        = string
}

variable "trust" {
  description = "Text of the trust policy"
  type        = string
}

variable "variables" {
  description = "Further variables of the service"
  type        = map(string)
}

variable "secret_files" {
  description = "Files below /etc/fcs, each from a key of a secret"
  type        = map(object({ arn = string, key = string }))
}

variable "task_policy" {
  description = "What the service may do in AWS, as JSON"
  type        = string
  default     = null
}

variable "alone" {
  description = "Whether at most one task may run: it writes the state of a log that it follows"
  type        = bool
  default     = false
}

variable "count_min" {
  type = number
}

variable "count_max" {
  type = number
}

variable "cpu" {
  type    = number
  default = 1024
}

variable "memory_mib" {
  type    = number
  default = 2048
}

variable "cluster_arn" {
  type = string
}

variable "cluster_name" {
  type = string
}

variable "namespace_id" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "target_group_arns" {
  description = "Target groups by track; none for a service that the load balancer does not serve"
  type        = map(string)
  default     = {}
}

variable "target_group_suffixes" {
  type    = map(string)
  default = {}
}

variable "load_balancer_suffix" {
  type    = string
  default = null
}

variable "bias_alarm_name" {
  type    = string
  default = null
}

variable "topic_arn" {
  description = "Who is told"
  type        = string
}

variable "log_days" {
  type = number
}

variable "key_arn" {
  type = string
}
