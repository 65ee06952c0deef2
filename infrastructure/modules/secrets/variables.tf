variable "name" {
  type = string
}

variable "secrets" {
  description = "What each secret holds, by its name"
  type        = map(string)
}

variable "rotated" {
  description = "Secrets that the rotation function renews: passwords of database roles"
  type        = set(string)
}

variable "rotation_function_arn" {
  description = "Lambda function that gives database roles new passwords; null leaves that to people"
  type        = string
}

variable "key_arn" {
  type = string
}
