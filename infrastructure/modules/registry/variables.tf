variable "bucket" {
  type = string
}

variable "lock_mode" {
  description = "GOVERNANCE lets a privileged person delete a version; COMPLIANCE lets nobody, the account's owner included"
  type        = string
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

variable "lock_days" {
  type = number
}

variable "key_arn" {
  type = string
}

variable "copy_key_arn" {
  description = "KMS key of the other region"
  type        = string
}
