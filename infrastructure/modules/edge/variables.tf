variable "name" {
  type = string
}

variable "environment" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "public_subnet_ids" {
  type = list(string)
}

variable "private_subnet_ids" {
  type = list(string)
}

variable "internal" {
  description = "Whether only the network itself reaches the load balancer"
  type        = bool
}

variable "client_cidrs" {
  type = list(string)
}

variable "certificate_arn" {
  type = string
}

variable "weights" {
  description = "Shares of the two tracks"
  type        = object({ blue = number, green = number })
  validation {
    condition     = var.weights.blue >= 0 && var.weights.green >= 0 && var.weights.blue + var.weights.green == 100
    error_message = "The weights must be 100 together."
  }
}

variable "protected" {
  type = bool
}

variable "key_arn" {
  type = string
}
