# staging

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
  # Where the state is, and its lock, is given when it is set up: terraform init -backend-config=FILE
  backend "s3" {
    key          = "fair-credit-scorer/staging.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { Project = "fair-credit-scorer", Environment = "staging" }
  }
}

provider "aws" {
  alias  = "other_region"
  region = var.other_region
  default_tags {
    tags = { Project = "fair-credit-scorer", Environment = "staging" }
  }
}

module "system" {
  source    = "../../modules/system"
  providers = { aws = aws, aws.other_region = aws.other_region }

  environment     = "staging"
  region          = var.region
  zones           = ["eu-central-1a", "eu-central-1b"]
  survives_a_zone = false
  protected       = false
  internal        = true
  client_cidrs    = ["10.0.0.0/8"]
  count_min       = 2
  count_max       = 6
  database_class  = "db.m7g.large"
  database_gib    = 50
  cache_type      = "cache.t4g.small"
  model_lock_days = 30
  log_days        = 90

  certificate_arn       = var.certificate_arn
  images                = var.images
  files_image           = var.files_image
  repository_arn        = var.repository_arn
  weights               = var.weights
  active_model_server   = var.active_model_server
  cache_token           = var.cache_token
  rotation_function_arn = var.rotation_function_arn
  variables             = var.variables
}

output "address" {
  value = module.system.address
}

output "cluster" {
  value = module.system.cluster
}
