variable "name" {
  type = string
}

variable "resources" {
  description = "ARNs of what is backed up"
  type        = list(string)
}

variable "days" {
  type = number
}

variable "key_arn" {
  type = string
}

variable "copy_key_arn" {
  type = string
}

variable "topic_arn" {
  type = string
}
