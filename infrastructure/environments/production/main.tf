# production

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
    key          = "fair-credit-scorer/production.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { Project = "fair-credit-scorer", Environment = "production" }
  }
}

provider "aws" {
  alias  = "other_region"
  region = var.other_region
  default_tags {
    tags = { Project = "fair-credit-scorer", Environment = "production" }
  }
}

module "system" {
  source    = "../../modules/system"
  providers = { aws = aws, aws.other_region = aws.other_region }

  environment     = "production"
  region          = var.region
  zones           = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  survives_a_zone = true
  protected       = true
  internal        = false
  client_cidrs    = var.client_cidrs
  count_min       = 3
  count_max       = 10
  database_class  = "db.r7g.large"
  database_gib    = 200
  cache_type      = "cache.m7g.large"
  model_lock_days = 762 # 25 months
  log_days        = 1096

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
