-- What the views look sites up by: the company of a PSA that a site is linked to, and the parent of such a company.
CREATE INDEX sites_by_psa_company ON sites (tenant_id, psa_integration_id, psa_company_id, id);
