"""What is in the microscope: host monolayers, their columns and defects, the catalogue of compounds and conditions."""
