variable "name" {
  description = "Prefix of every name"
  type        = string
}

variable "region" {
  type = string
}

variable "zones" {
  description = "Availability zones, two to four"
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4
    error_message = "Name two to four zones: one zone is one failure away from none."
  }
}

variable "cidr" {
  type    = string
  default = "10.20.0.0/16"
}

variable "way_out_per_zone" {
  description = "Whether each zone has its own NAT gateway, so that the loss of a zone cuts off no other"
  type        = bool
}

variable "key_arn" {
  description = "KMS key of the logs"
  type        = string
}
