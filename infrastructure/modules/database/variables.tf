variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "instance_class" {
  type = string
}

variable "storage_gib" {
  type = number
}

variable "multi_az" {
  description = "Whether a synchronous standby in another zone takes over"
  type        = bool
}

variable "backup_days" {
  description = "Days of daily backups and of point-in-time recovery"
  type        = number
  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "RDS keeps 1 to 35 days."
  }
}

variable "protected" {
  description = "Whether the database cannot be deleted, and leaves a last snapshot"
  type        = bool
}

variable "key_arn" {
  type = string
}
