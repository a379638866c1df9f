DROP INDEX sites_by_psa_company;
